#!/bin/sh
# read-weight.sh URL: prints the percentage that the running nginx gives the new version.
#
# It asks the workers, over a connection of its own. `nginx -T` would not do: it reads the files, so it tells what
# set-weight.sh wrote even when nginx has not taken it over.
set -eu

exec curl --fail --silent --show-error --noproxy '*' --max-time 5 "${1:?usage: read-weight.sh URL}"
