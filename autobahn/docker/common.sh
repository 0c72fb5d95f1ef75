#!/usr/bin/env bash
# What server.sh and client.sh share: the image, where results go, and how a run
# begins and ends. It is sourced, never run. A script that sources it has the root of
# the repository as its working directory, a built testee in $bin, and a trap that
# stops everything it started, however it ends.
set -euo pipefail

# The suite whose verdicts the Go suite reproduces, named by its digest as well, so
# that a tag that moves cannot change what is tested.
# shellcheck disable=SC2034 # used by the scripts that source this file, as are out and config
image=${AUTOBAHN_IMAGE:-crossbario/autobahn-testsuite:25.10.1@sha256:519915fb568b04c9383f70a1c405ae3ff44ab9e35835b085239c258b6fac3074}

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck disable=SC2034
out=$PWD/autobahn/out/docker
# shellcheck disable=SC2034
config=$PWD/autobahn/docker/config
container=websocket-autobahn-$$
bin=$(mktemp -d)
testee_pid=

# finish ends what this run started and nothing else; it keeps the exit status.
finish() {
	local status=$?
	trap - EXIT
	if [[ -n $testee_pid ]]; then
		kill "$testee_pid" 2>/dev/null || true
		wait "$testee_pid" 2>/dev/null || true
	fi
	docker rm --force "$container" >/dev/null 2>&1 || true
	rm -rf "$bin"
	exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# prepare DIRECTORY builds the testee and makes room for the results: an index left
# from an earlier run must never be judged as this one's.
prepare() {
	if ! docker info >/dev/null 2>&1; then
		echo "no Docker engine answers; 'go run ./autobahn' runs the same cases without one" >&2
		exit 2
	fi
	mkdir -p "$1"
	rm -f "$1"/*
	go build -o "$bin/testee" ./autobahn/docker/testee
}

# wait_for PORT SECONDS returns once something accepts connections on loopback.
wait_for() {
	local i
	for ((i = 0; i < $2 * 5; i++)); do
		if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then
			return 0
		fi
		sleep 0.2
	done
	echo "nothing listens on port $1 after $2 s" >&2
	return 1
}

# judge DIRECTORY prints every result that is not good enough; the last command of a run.
judge() {
	echo "the suite's own report: $1/index.html"
	go run ./autobahn/judge -dir "$1"
}
