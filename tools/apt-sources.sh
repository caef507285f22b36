#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Reads apt's sources, both formats, without changing anything.
#
#   apt-sources.sh list [DIR]            uri TAB suite TAB components TAB extra fields, a line each; only Types deb
#   apt-sources.sh has SUITE [DIR]       status 0 if Debian's main archive is there with this suite
#   apt-sources.sh mirror [DIR]          the URI of Debian's main archive
#   apt-sources.sh has-same SUITE [DIR]  status 0 if that mirror is also there with this suite
#   apt-sources.sh stanza SUITE [DIR]    a deb822 stanza of that mirror for another suite, with its key and options
#
# DIR (default /etc/apt) is apt's configuration directory. Only awk and sh are needed: a fresh Debian has no python.
set -eu

list()
{
	set -- "$1/sources.list" "$1"/sources.list.d/*.list "$1"/sources.list.d/*.sources
	for file do
		shift
		[ ! -r "$file" ] || set -- "$@" "$file"
	done
	[ $# -gt 0 ] || return 0
	awk '
	function emit(uri, suite, components, extra) {
		sub(/\/+$/, "", uri)
		printf "%s\t%s\t%s\t%s\n", uri, suite, components, extra
	}
	function finish(  i, k, u, s, nu, ns) {
		if ((" " types " ") ~ / deb / && enabled !~ /^(no|false|off|0)$/) {
			nu = split(uris, u, /[ \t]+/)
			ns = split(suites, s, /[ \t]+/)
			for (i = 1; i <= nu; i++)
				for (k = 1; k <= ns; k++)
					if (u[i] != "" && s[k] != "")
						emit(u[i], s[k], components, extra)
		}
		types = uris = suites = components = extra = enabled = field = ""
	}
	# A field of a stanza; continuation lines of a key are kept apart by \035, other fields are joined by a blank.
	function take(name, value) {
		if (name == "types") types = types " " value
		else if (name == "uris") uris = uris " " value
		else if (name == "suites") suites = suites " " value
		else if (name == "components") components = components " " value
		else if (name == "enabled") enabled = tolower(value)
		else return 0
		return 1
	}
	function deb822(line,  colon) {
		if (line ~ /^[ \t]*$/) { finish(); return }
		if (line ~ /^[ \t]/) {
			if (!take(field, line) && field !~ /^(x-|description)/ && field != "") extra = extra "\035" line
			return
		}
		colon = index(line, ":")
		if (!colon) return
		field = tolower(substr(line, 1, colon - 1))
		value = substr(line, colon + 1)
		sub(/^[ \t]+/, "", value); sub(/[ \t]+$/, "", value)
		if (!take(field, value) && field !~ /^(x-|description)/) extra = extra "\034" substr(line, 1, colon) " " value
	}
	function option(text,  equals, name, value) {
		equals = index(text, "=")
		if (!equals) return ""
		name = tolower(substr(text, 1, equals - 1)); sub(/[-+]$/, "", name)
		value = substr(text, equals + 1)
		gsub(/,/, " ", value)
		if (name == "arch") name = "Architectures"
		else if (name == "lang") name = "Languages"
		else if (name == "target") name = "Targets"
		else if (name == "signed-by") name = "Signed-By"
		return "\034" name ": " value
	}
	function one_line(line,  i, n, word, options, more, rest) {
		sub(/#.*/, "", line)
		if (line !~ /^[ \t]*deb[ \t]/) return
		sub(/^[ \t]*deb[ \t]+/, "", line)
		more = ""
		if (line ~ /^\[/) {
			i = index(line, "]")
			options = substr(line, 2, i - 2)
			line = substr(line, i + 1)
			n = split(options, word, /[ \t]+/)
			for (i = 1; i <= n; i++) more = more option(word[i])
		}
		sub(/^[ \t]+/, "", line)
		n = split(line, word, /[ \t]+/)
		rest = ""
		for (i = 3; i <= n; i++) rest = rest " " word[i]
		emit(word[1], word[2], rest, more)
	}
	FNR == 1 { finish(); is_list = FILENAME ~ /\.list$/ }
	/^[ \t]*#/ { next }
	is_list { one_line($0); next }
	{ deb822($0) }
	END { finish() }
	' "$@"
}

# The first source with one of the suites and component main; a path that ends as Debian mirrors are laid out wins over
# others, because third parties publish a "bookworm main" too.
pick()
{
	list "$2" | awk -F '\t' -v suites="$1" '
	(" " suites " ") ~ (" " $2 " ") && (" " $3 " ") ~ / main / && $1 !~ /^cdrom:/ {
		if ($1 ~ /\/debian(\/|$)|^mirror\+file:/) { if (!good) good = $0 }
		else if (!other) other = $0
	}
	END { if (good) print good; else if (other) print other; else exit 1 }'
}

any_suite='bookworm oldstable trixie stable forky testing sid unstable'
command=${1:-}
case $command in
list) list "${2:-/etc/apt}" ;;
has) pick "$2" "${3:-/etc/apt}" >/dev/null ;;
mirror) pick "$any_suite" "${2:-/etc/apt}" | cut -f 1 ;;
has-same)
	uri=$(pick 'bookworm oldstable' "${3:-/etc/apt}" | cut -f 1)
	list "${3:-/etc/apt}" | awk -F '\t' -v uri="$uri" -v suite="$2" '$1 == uri && $2 == suite && (" " $3 " ") ~ / main / { found = 1 } END { exit !found }'
	;;
stanza)
	pick 'bookworm oldstable' "${3:-/etc/apt}" | awk -F '\t' -v suite="$2" '{
		extra = $4
		gsub(/[\034\035]/, "\n", extra)
		printf "Types: deb\nURIs: %s\nSuites: %s\nComponents: main%s\n", $1, suite, extra
	}'
	;;
*)
	echo 'usage: apt-sources.sh list|has SUITE|mirror|has-same SUITE|stanza SUITE [DIR]' >&2
	exit 2
	;;
esac
