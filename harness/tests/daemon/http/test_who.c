/* SPDX-License-Identifier: Apache-2.0 */
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../../daemon/http/http_who.h"
#include "http_fixture.h"

#define END "Connection: close\r\n\r\n"

static void serve_nobody(void)
{
	struct serve_options options = {.what = SERVE_LOCAL | SERVE_TCP, .loopback_role = ROLE_NOBODY, .limits = short_limits()};

	serve(&options);
}

START_TEST(the_socket_says_who)
{
	const struct passwd *me = getpwuid(geteuid());
	char wanted[200];
	const char *got;

	serve_nobody();
	(void)snprintf(wanted, sizeof(wanted), "\"user\":\"%s\",\"role\":%d,\"local\":true", me ? me->pw_name : "?", ROLE_ADMIN);
	/* Any Host will do there, and a token does not make anybody else of him. */
	got = ask_local("GET /api/v1/hello HTTP/1.1\r\nHost: anything\r\nAuthorization: Bearer secret-viewer\r\n" END);
	ck_assert_msg(strstr(got, wanted), "%s", got);
	ck_assert_int_eq(status_of(ask_local("POST /api/v1/administer HTTP/1.1\r\nHost: x\r\nSec-Fetch-Site: cross-site\r\n" END)), 204);
	serve_end();
}
END_TEST

START_TEST(other_users_are_operators)
{
	int status;
	pid_t pid;

	if (geteuid() != 0)
		return; /* nobody else to be */
	serve_nobody();
	ck_assert_int_eq(chmod(serve_directory, 0755), 0);
	ck_assert_int_eq(chmod(serve_path, 0666), 0);
	pid = fork();
	if (pid == 0) {
		const char *got;

		if (setgid(65534) < 0 || setuid(65534) < 0)
			_exit(2);
		got = ask_local("GET /api/v1/hello HTTP/1.1\r\nHost: x\r\n" END);
		if (!strstr(got, "\"user\":\"nobody\",\"role\":2"))
			_exit(3);
		if (status_of(ask_local("POST /api/v1/operate HTTP/1.1\r\nHost: x\r\n" END)) != 204)
			_exit(4);
		_exit(status_of(ask_local("POST /api/v1/administer HTTP/1.1\r\nHost: x\r\n" END)) == 403 ? 0 : 5);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	serve_end();
}
END_TEST

START_TEST(tokens_say_who)
{
	const char *got;

	serve_nobody();
	got = ask("GET /api/v1/hello HTTP/1.1\r\nHost: localhost\r\n" END);
	assert_error(got, 401, "unauthorized");
	ck_assert_ptr_nonnull(strstr(got, "WWW-Authenticate: Bearer"));
	assert_error(ask("GET /api/v1/nowhere HTTP/1.1\r\nHost: localhost\r\n" END), 401, "unauthorized");
	ck_assert_int_eq(status_of(ask("GET /healthz HTTP/1.1\r\nHost: localhost\r\n" END)), 204);
	got = ask("GET /api/v1/hello HTTP/1.1\r\nHost: localhost\r\nAuthorization: bearer secret-operator\r\n" END);
	ck_assert_ptr_nonnull(strstr(got, "\"user\":\"operator\",\"role\":2,\"local\":false"));
	assert_error(ask("GET /api/v1/hello HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer wrong\r\n" END), 401, "unauthorized");
	assert_error(ask("GET /api/v1/hello HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer\r\n" END), 401, "unauthorized");
	assert_error(ask("GET /api/v1/hello HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic c2VjcmV0\r\n" END), 401, "unauthorized");
	/* A wrong token opens nothing that is open without one. */
	assert_error(ask("GET /healthz HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer wrong\r\n" END), 401, "unauthorized");
	assert_error(ask("POST /api/v1/administer HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer secret-operator\r\n" END), 403,
	             "forbidden");
	ck_assert_int_eq(
	        status_of(ask("POST /api/v1/administer HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer secret-admin\r\n" END)), 204);
	assert_error(ask("GET /api/v1/hello HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer secret-viewer\r\nAuthorization: Bearer "
	                 "secret-admin\r\n" END),
	             400, "bad_request");
	serve_end();
}
END_TEST

START_TEST(cookies_say_who)
{
	const char *got;

	serve_default();
	got = ask("POST /api/v1/cookie HTTP/1.1\r\nHost: localhost\r\n" END);
	ck_assert_ptr_nonnull(
	        strstr(got, "Set-Cookie: hilbench_session=secret-viewer; Path=/; HttpOnly; SameSite=Strict; Max-Age=43200\r\n"));
	got = ask("GET /api/v1/hello HTTP/1.1\r\nHost: localhost\r\nCookie: a=b; hilbench_session=secret-admin; c=d\r\n" END);
	ck_assert_ptr_nonnull(strstr(got, "\"user\":\"cookie-admin\",\"role\":3"));
	/* A session that is over leaves what everybody has here. */
	got = ask("GET /api/v1/hello HTTP/1.1\r\nHost: localhost\r\nCookie: hilbench_session=old\r\n" END);
	ck_assert_ptr_nonnull(strstr(got, "\"user\":\"loopback\",\"role\":1"));
	assert_error(ask("POST /api/v1/operate HTTP/1.1\r\nHost: localhost\r\n" END), 403, "forbidden");
	serve_end();
}
END_TEST

START_TEST(other_sites_change_nothing)
{
	static const char admin[] = "Cookie: hilbench_session=secret-admin\r\n";
	static const struct {
		const char *headers;
		bool refused;
	} cases[] = {
	        {"", false},
	        {"Sec-Fetch-Site: same-origin\r\n", false},
	        {"Sec-Fetch-Site: none\r\n", false},
	        {"Sec-Fetch-Site: cross-site\r\n", true},
	        {"Sec-Fetch-Site: same-site\r\n", true},
	        {"Sec-Fetch-Site: cross-site\r\nOrigin: http://localhost:8480\r\n", true},
	        {"Origin: http://localhost:8480\r\n", false},
	        {"Origin: http://localhost:8481\r\n", true},
	        {"Origin: https://localhost:8480\r\n", true},
	        {"Origin: http://evil.example\r\n", true},
	        {"Origin: http://localhost:8480.evil.example\r\n", true},
	        {"Origin: null\r\n", true},
	};
	char request[600];

	serve_default();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		(void)snprintf(request, sizeof(request), "POST /api/v1/operate HTTP/1.1\r\nHost: localhost:8480\r\n%s%s" END, admin,
		               cases[i].headers);
		ck_assert_msg(status_of(ask(request)) == (cases[i].refused ? 403 : 204), "%s", cases[i].headers);
		/* No cookie, but what loopback may: the same. */
		(void)snprintf(request, sizeof(request), "POST /api/v1/cookie HTTP/1.1\r\nHost: localhost:8480\r\n%s" END,
		               cases[i].headers);
		ck_assert_int_eq(status_of(ask(request)), cases[i].refused ? 403 : 204);
		/* A page elsewhere cannot set this header. */
		(void)snprintf(request, sizeof(request),
		               "POST /api/v1/operate HTTP/1.1\r\nHost: localhost:8480\r\nAuthorization: Bearer secret-admin\r\n%s" END,
		               cases[i].headers);
		ck_assert_int_eq(status_of(ask(request)), 204);
		(void)snprintf(request, sizeof(request), "GET /api/v1/hello HTTP/1.1\r\nHost: localhost:8480\r\n%s%s" END, admin,
		               cases[i].headers);
		ck_assert_int_eq(status_of(ask(request)), 200);
	}
	serve_end();
}
END_TEST

START_TEST(rebound_names_are_refused)
{
	static const struct {
		const char *host;
		bool allowed;
	} cases[] = {{"localhost", true},
	             {"LocalHost:8480", true},
	             {"localhost.", true},
	             {"127.0.0.1:1", true},
	             {"[::1]", true},
	             {"[::1]:8480", true},
	             {"192.0.2.7:8480", true},
	             {"bench.example:8480", true},
	             {"evil.example", false},
	             {"localhost.evil.example", false},
	             {"bench.example.evil", false},
	             {"127.0.0.1.evil.example", false},
	             {"[::1].evil", false},
	             {"localhost:80a", false},
	             {"localhost:", false},
	             {"", false},
	             {"[::1", false},
	             {"[zz]", false},
	             {"localhost:123456", false},
	             {"0x7f.1", false}};
	static const char *const names[] = {"bench.example", NULL};
	const char *got;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_msg(http_host_allowed(cases[i].host, names) == cases[i].allowed, "%s", cases[i].host);
	serve_default();
	assert_error(ask("GET /api/v1/hello HTTP/1.1\r\nHost: evil.example\r\n" END), 403, "forbidden");
	assert_error(ask("GET / HTTP/1.1\r\nHost: evil.example:8480\r\nAuthorization: Bearer secret-admin\r\n" END), 403, "forbidden");
	got = ask("GET http://evil.example/api/v1/hello HTTP/1.1\r\nHost: localhost\r\n" END);
	assert_error(got, 403, "forbidden");
	ck_assert_msg(strstr(got, "'evil.example'") != NULL, "%s", got);
	got = ask("GET http://localhost/api/v1/hello HTTP/1.1\r\nHost: localhost\r\n" END);
	ck_assert_int_eq(status_of(got), 200);
	ck_assert_int_eq(status_of(ask("GET /api/v1/hello HTTP/1.1\r\nHost: bench.example\r\n" END)), 200);
	serve_end();
}
END_TEST

START_TEST(cookie_headers)
{
	char value[8];

	ck_assert(http_cookie_value("a=1", "a", value, sizeof(value)));
	ck_assert_str_eq(value, "1");
	ck_assert(http_cookie_value("b=2;a=1 ; c", "a", value, sizeof(value)));
	ck_assert_str_eq(value, "1");
	ck_assert(!http_cookie_value("ba=1; ab=2; a", "a", value, sizeof(value)));
	ck_assert(!http_cookie_value("a=", "a", value, sizeof(value)));
	ck_assert(!http_cookie_value("a=12345678", "a", value, sizeof(value)));
	ck_assert(!http_cookie_value(";;; ; =", "a", value, sizeof(value)));
	ck_assert(!http_cookie_value(NULL, "a", value, sizeof(value)));
}
END_TEST

void add_who_tests(Suite *suite)
{
	TCase *tests = tcase_create("who");

	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, the_socket_says_who);
	tcase_add_test(tests, other_users_are_operators);
	tcase_add_test(tests, tokens_say_who);
	tcase_add_test(tests, cookies_say_who);
	tcase_add_test(tests, other_sites_change_nothing);
	tcase_add_test(tests, rebound_names_are_refused);
	tcase_add_test(tests, cookie_headers);
	suite_add_tcase(suite, tests);
}
