/* SPDX-License-Identifier: Apache-2.0 */
#include "scpi_server.h"

#include <arpa/inet.h>
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RULES 60
#define HEARD 400

struct scpi_server {
	pthread_t thread;
	pthread_mutex_t lock;
	int listener, client;
	char address[32];
	struct scpi_rule rules[RULES];
	unsigned rule_count, heard_count, connections;
	char heard[HEARD][80];
};

static bool answer_line(struct scpi_server *server, const char *line)
{
	struct scpi_rule rule = {0};
	pthread_mutex_lock(&server->lock);
	if (server->heard_count < HEARD)
		(void)snprintf(server->heard[server->heard_count++], sizeof(server->heard[0]), "%.79s", line);
	for (unsigned i = server->rule_count; i > 0 && !rule.message; i--)
		if (!strcmp(server->rules[i - 1].message, line))
			rule = server->rules[i - 1];
	pthread_mutex_unlock(&server->lock);
	if (rule.delay_ms)
		usleep(rule.delay_ms * 1000);
	if (rule.answer && send(server->client, rule.answer, strlen(rule.answer), MSG_NOSIGNAL) < 0)
		return false;
	return !rule.close;
}

static void serve(struct scpi_server *server)
{
	char line[256];
	size_t length = 0;
	char byte;
	while (recv(server->client, &byte, 1, 0) == 1) {
		if (byte != '\n') {
			if (length + 1 < sizeof(line))
				line[length++] = byte;
			continue;
		}
		line[length] = '\0';
		length = 0;
		if (!answer_line(server, line))
			return;
	}
}

static void *run(void *argument)
{
	struct scpi_server *server = argument;
	for (;;) {
		int client = accept(server->listener, NULL, NULL);
		if (client < 0)
			return NULL;
		pthread_mutex_lock(&server->lock);
		server->client = client;
		server->connections++;
		pthread_mutex_unlock(&server->lock);
		serve(server);
		pthread_mutex_lock(&server->lock);
		server->client = -1;
		close(client);
		pthread_mutex_unlock(&server->lock);
	}
}

struct scpi_server *scpi_server_new(void)
{
	struct scpi_server *server = calloc(1, sizeof(*server));
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t length = sizeof(address);
	ck_assert_ptr_nonnull(server);
	pthread_mutex_init(&server->lock, NULL);
	server->client = -1;
	server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(server->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(server->listener, 4), 0);
	ck_assert_int_eq(getsockname(server->listener, (struct sockaddr *)&address, &length), 0);
	(void)snprintf(server->address, sizeof(server->address), "127.0.0.1:%u", ntohs(address.sin_port));
	ck_assert_int_eq(pthread_create(&server->thread, NULL, run, server), 0);
	return server;
}

void scpi_server_free(struct scpi_server *server)
{
	shutdown(server->listener, SHUT_RDWR);
	pthread_mutex_lock(&server->lock);
	if (server->client >= 0)
		shutdown(server->client, SHUT_RDWR);
	pthread_mutex_unlock(&server->lock);
	pthread_join(server->thread, NULL);
	close(server->listener);
	pthread_mutex_destroy(&server->lock);
	free(server);
}

const char *scpi_server_address(const struct scpi_server *server)
{
	return server->address;
}

void scpi_server_rule(struct scpi_server *server, const char *message, const char *answer, unsigned delay_ms, bool close_after)
{
	pthread_mutex_lock(&server->lock);
	ck_assert_uint_lt(server->rule_count, RULES);
	server->rules[server->rule_count++] = (struct scpi_rule){message, answer, delay_ms, close_after};
	pthread_mutex_unlock(&server->lock);
}

unsigned scpi_server_heard(struct scpi_server *server, const char *message)
{
	unsigned count = 0;
	pthread_mutex_lock(&server->lock);
	for (unsigned i = 0; i < server->heard_count; i++)
		count += !strcmp(server->heard[i], message);
	pthread_mutex_unlock(&server->lock);
	return count;
}

unsigned scpi_server_connections(struct scpi_server *server)
{
	pthread_mutex_lock(&server->lock);
	unsigned count = server->connections;
	pthread_mutex_unlock(&server->lock);
	return count;
}
