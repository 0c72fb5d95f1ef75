#!/usr/bin/env bash
# Tests the server of this library with the original suite: starts the echo server on
# 127.0.0.1:9101, runs the suite's fuzzing client in a container against it, all 517
# cases, and judges index.json. Exit status: 0 all OK, 1 not, 2 could not be run.
# Results: autobahn/out/docker/servers. Needs Docker, Go and bash; takes some minutes.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

prepare "$out/servers"

# On Linux the container shares the host's network, and the name that the
# configuration uses means loopback. Docker Desktop knows that name by itself and
# leads it to the host's loopback. Either way the server is reachable from here only.
network=()
if [[ $(uname -s) == Linux ]]; then
	network=(--network host --add-host host.docker.internal:127.0.0.1)
fi

"$bin/testee" -listen 127.0.0.1:9101 &
testee_pid=$!
wait_for 9101 10

docker run --rm --init --platform linux/amd64 --name "$container" "${network[@]+"${network[@]}"}" \
	--volume "$config:/config:ro" --volume "$out:/reports" \
	"$image" wstest --mode fuzzingclient --spec /config/fuzzingclient.json

if ! kill -0 "$testee_pid" 2>/dev/null; then
	echo "the echo server ended before the suite did" >&2
	exit 1
fi
judge "$out/servers"
