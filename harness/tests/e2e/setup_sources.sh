#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# How the set-up reads apt's sources: both formats, keys, options, third parties, and no host of its own.
set -u
reader=$HILBENCH_ROOT/tools/apt-sources.sh
failed=0

# prepare NAME: an empty apt directory
prepare()
{
	apt=$HILBENCH_OUT/$1
	mkdir -p "$apt/sources.list.d"
}

expect()
{
	if [ "$2" = "$3" ]; then
		printf 'ok %s\n' "$1"
	else
		failed=1
		printf 'not ok %s - got: %s\n' "$1" "$(printf '%s' "$2" | tr '\n' '|')"
	fi
}

status_of()
{
	"$@" >/dev/null 2>&1
	printf '%d' $?
}

prepare deb822
cat >"$apt/sources.list.d/debian.sources" <<'END'
# a comment
Types: deb deb-src
URIs: http://mirror.example/debian/
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
END
expect 'deb822: the stanza for trixie' "$("$reader" stanza trixie "$apt")" 'Types: deb
URIs: http://mirror.example/debian
Suites: trixie
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg'
expect 'deb822: the mirror' "$("$reader" mirror "$apt")" 'http://mirror.example/debian'
expect 'trixie is not there yet' "$(status_of "$reader" has-same trixie "$apt")" 1
"$reader" stanza trixie "$apt" >"$apt/sources.list.d/trixie-for-hilbench.sources"
expect 'trixie is recognised afterwards' "$(status_of "$reader" has-same trixie "$apt")" 0

prepare embedded
cat >"$apt/sources.list.d/debian.sources" <<'END'
Types: deb
URIs: https://mirror.example/debian
Suites: bookworm
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 AAAA
 -----END PGP PUBLIC KEY BLOCK-----
END
expect 'deb822: a key inside the stanza is kept' "$("$reader" stanza trixie "$apt" | tail -n 5)" 'Signed-By: 
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 AAAA
 -----END PGP PUBLIC KEY BLOCK-----'

prepare one-line
cat >"$apt/sources.list" <<'END'
# deb http://old.example/debian bookworm main
deb-src http://mirror.example/debian bookworm main
deb cdrom:[Debian GNU/Linux 12 _Bookworm_]/ bookworm main
deb [ arch=amd64,i386 signed-by=/etc/apt/keyrings/a.gpg trusted=yes ] http://mirror.example/mirrors/debian bookworm main non-free # a comment
deb http://mirror.example/debian-security bookworm-security main
END
expect 'one line: options become fields' "$("$reader" stanza trixie "$apt")" 'Types: deb
URIs: http://mirror.example/mirrors/debian
Suites: trixie
Components: main
Architectures: amd64 i386
Signed-By: /etc/apt/keyrings/a.gpg
trusted: yes'

prepare third-party
cat >"$apt/sources.list.d/a-vendor.list" <<'END'
deb [signed-by=/etc/apt/keyrings/vendor.gpg] https://packages.vendor.example/apt bookworm main
deb https://packages.vendor.example/linux/debian bookworm stable
END
printf 'deb http://mirror.example/debian bookworm main\n' >"$apt/sources.list.d/z-debian.list"
expect 'a third party that names bookworm main is not taken' "$("$reader" mirror "$apt")" 'http://mirror.example/debian'

prepare disabled
printf 'Enabled: no\nTypes: deb\nURIs: http://off.example/debian\nSuites: bookworm\nComponents: main\n' >"$apt/sources.list.d/off.sources"
expect 'a source that is switched off is not taken' "$(status_of "$reader" has bookworm "$apt")" 1

prepare thirteen
printf 'deb http://mirror.example/debian trixie main\n' >"$apt/sources.list"
expect 'Debian 13 is recognised' "$(status_of "$reader" has 'trixie stable' "$apt") $(status_of "$reader" has 'bookworm oldstable' "$apt")" '0 1'

expect 'nothing is missing after the set-up' "$("$HILBENCH_ROOT/tools/packages.sh" test 2>&1)" ''
exit $failed
