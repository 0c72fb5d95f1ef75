#!/usr/bin/env bash
# Tests the client of this library with the original suite: runs the suite's fuzzing
# server in a container on 127.0.0.1:9001, walks all 517 cases with the testee client,
# and judges index.json. Exit status: 0 all OK, 1 not, 2 could not be run.
# Results: autobahn/out/docker/clients. Needs Docker, Go and bash; takes some minutes.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

prepare "$out/clients"

docker run --detach --init --platform linux/amd64 --name "$container" --publish 127.0.0.1:9001:9001 \
	--volume "$config:/config:ro" --volume "$out:/reports" \
	"$image" wstest --mode fuzzingserver --spec /config/fuzzingserver.json >/dev/null

# Docker's own proxy accepts connections before the suite listens, so an open port
# says little: the testee asks for the number of cases until the suite answers.
if ! wait_for 9001 30 || ! "$bin/testee" -dial ws://127.0.0.1:9001 -agent websocket -wait 60s; then
	docker logs --tail 40 "$container" >&2 || true
	exit 1
fi
judge "$out/clients"
