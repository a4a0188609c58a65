#!/bin/sh
# set-weight.sh PERCENT FILE [NGINX…]: gives the new version PERCENT of the traffic, from 0 to 100.
#
# FILE (/etc/nginx/serin/checkout.split) belongs to this script. Its name says which upstreams it splits between:
# checkout_canary and checkout_stable. NGINX is the command that runs nginx, with its options; the default is nginx.
# The file is replaced in one move, and comes back as it was when nginx refuses the configuration or does not reload.
set -eu

percent=${1:?usage: set-weight.sh PERCENT FILE [NGINX...]}
file=${2:?usage: set-weight.sh PERCENT FILE [NGINX...]}
shift 2
[ $# -gt 0 ] || set -- nginx

case $percent in
'' | *[!0-9.]* | *.*.* | .* | *.) echo "set-weight.sh: \"$percent\" is no percentage" >&2; exit 64 ;;
esac
name=$(basename "$file" .split)
case $name in
'' | *[!A-Za-z0-9_]*) echo "set-weight.sh: \"$name\" cannot name an nginx variable" >&2; exit 64 ;;
esac

# nginx refuses a share of 0 %, so the two ends name one upstream for all.
case $percent in
0) split="* ${name}_stable;" ;;
100) split="* ${name}_canary;" ;;
*) split="$percent% ${name}_canary; * ${name}_stable;" ;;
esac

[ -e "$file" ] || { echo "set-weight.sh: no $file: copy checkout.split there, and include it in nginx" >&2; exit 66; }

new=$file.new.$$ old=$file.old.$$
rm -f "$file".new.* "$file".old.* # left by a run that was killed

# Whatever ends this script before the reload was accepted, the file is what it was before.
restore() {
    status=$?
    trap - EXIT HUP INT TERM
    [ ! -e "$old" ] || mv -f "$old" "$file"
    rm -f "$new"
    exit "$status"
}
trap restore EXIT
trap 'exit 130' HUP INT TERM

{
    echo "# Written by set-weight.sh; changes by hand are lost."
    echo "split_clients \$${name}_user \$${name}_upstream { $split }"
    echo "map \$host \$${name}_percent { default \"$percent\"; }"
} >"$new"
cp -p "$file" "$old.copy"
mv -f "$old.copy" "$old" # never half a copy
mv -f "$new" "$file"

"$@" -t -q
"$@" -s reload

trap - EXIT HUP INT TERM
rm -f "$old"
