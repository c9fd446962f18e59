# shellcheck shell=bash
# Sourced by build, database, install, memory and start: names, set-up, measuring, clean-up.
bench=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$bench")
dev=${AIRDOCK_DEV:-${XDG_CACHE_HOME:-$HOME/.cache}/airdock-dev}
airdock=$root/dist/airdock-linux-x64
node=$(for n in "$root"/node_modules/node-linux-*/bin/node "$(command -v node)"; do [ -x "$n" ] && echo "$n" && break; done)
run=bench-$$
hosts=() registries=() snapshots=()

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() { say "$*" && exit 1; }

clean() {
  local one
  for one in "${hosts[@]}"; do "$root/scripts/engine" down "$one" || true; done
  for one in "${snapshots[@]}"; do "$root/scripts/engine" forget "$one" || true; done
  for one in "${registries[@]}"; do "$root/scripts/registry" down "$one" || true; done
  if [ -n "${KEEP:-}" ]; then say "kept: $scratch"; else rm -rf "$scratch"; fi
}
begin() {
  scratch=$(mktemp -d "${TMPDIR:-/var/tmp}/airdock-bench.XXXXXX")
  results=$scratch/results.tsv
  trap clean EXIT
  trap 'exit 130' INT TERM
  "$root/scripts/setup"
  "$root/scripts/build-installer" x64 >/dev/null
  if [ ! -x /usr/bin/time ]; then DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends time >/dev/null; fi
  echo 'for benchmarks' >"$scratch/password"
  (cd "$scratch" && "$airdock" keygen --out release --key-password-file password >/dev/null)
  key=(--key "$scratch/release.key" --key-password-file "$scratch/password")
}

# crane: Debian forky's, through the lists that scripts/setup has fetched. Fails when it cannot be had.
crane() {
  local dir=$dev/crane apt=$dev/apt/forky
  if [ ! -x "$dir/usr/bin/crane" ]; then
    rm -rf "$dir.new" && mkdir -p "$dir.new"
    (cd "$dir.new" && apt-get -qq -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$apt/sources" \
      -o Dir::State::Lists="$apt/lists" -o Dir::Cache="$apt/cache" -o APT::Sandbox::User=root \
      -o Acquire::Check-Valid-Until=false download crane >/dev/null && dpkg -x crane_*.deb . && rm crane_*.deb) || return 1
    rm -rf "$dir" && mv "$dir.new" "$dir"
  fi
  echo "$dir/usr/bin/crane"
}

# A registry that lasts as long as this script; its address in $registry.
start_registry() {
  registries+=("$run")
  registry=$("$root/scripts/registry" up "$run")
}
stop_registry() { "$root/scripts/registry" down "$run"; }

# fresh NAME [OPTION...]: a host without images; `on` is what runs a command there.
fresh() {
  local name=$run-$1 one known=''
  shift
  for one in "${hosts[@]}"; do if [ "$one" = "$name" ]; then known=yes; fi; done
  if [ -z "$known" ]; then hosts+=("$name"); else "$root/scripts/engine" down "$name"; fi
  "$root/scripts/engine" up "$name" "$@"
  local values
  mapfile -t values < <("$root/scripts/engine" exec "$name" -- env | grep -E '^(DOCKER_HOST|DOCKER_CONFIG|CONTAINERD_[A-Z]+|PATH)=')
  on=(nsenter "--net=/var/run/netns/airdock-$name" env -u http_proxy -u https_proxy -u HTTP_PROXY -u HTTPS_PROXY "${values[@]}")
}

# Before each measurement: what earlier ones left to be written is written.
settle() { sync && sleep 0.5; }

# seconds START END: between two values of EPOCHREALTIME.
seconds() { awk "BEGIN { print ${2/,/.} - ${1/,/.} }"; }

# clocked LABEL COMMAND...: a row of label and seconds, for what is no program of its own (a function, a pipe).
clocked() {
  local label=$1 start end
  shift
  settle
  start=$EPOCHREALTIME
  "$@" >"$scratch/stdout" 2>"$scratch/stderr" </dev/null ||
    { tail -n 20 "$scratch/stdout" "$scratch/stderr" >&2 && die "failed: $*"; }
  end=$EPOCHREALTIME
  row "$label" "$(seconds "$start" "$end")" ''
}

# timed LABEL OUTPUT COMMAND...: a row of label, seconds, peak kB (of the largest process), bytes of OUTPUT ('' for none).
timed() {
  local label=$1 output=$2 start end bytes=''
  shift 2
  settle
  start=$EPOCHREALTIME
  /usr/bin/time -o "$scratch/peak" -f %M "$@" >"$scratch/stdout" 2>"$scratch/stderr" </dev/null ||
    { tail -n 20 "$scratch/stdout" "$scratch/stderr" >&2 && die "failed: $*"; }
  end=$EPOCHREALTIME
  if [ -n "$output" ]; then bytes=$(find "$output" -type f -printf '%s\n' | awk '{ s += $1 } END { print s }'); fi
  row "$label" "$(seconds "$start" "$end")" "$(tail -1 "$scratch/peak")" "$bytes"
}
row() {
  (IFS=$'\t' && echo "$*") >>"$results"
  say "$1: $2 s"
}

# watched COMMAND...: its figures as JSON in $scratch/watched.json (see watch.ts).
watched() {
  settle
  "$node" "$bench/watch.ts" "$@" >"$scratch/watched.json" </dev/null || die "failed: $*"
}
# figure EXPRESSION: of what was watched, as `w`.
figure() { "$node" -e 'const w = JSON.parse(require("node:fs").readFileSync(0)); console.log(eval(process.argv[1]))' "$1" <"$scratch/watched.json"; }

# The images of a release of the stand-in: KEY REFERENCE KIND.
images_of_release() {
  (
    cd "$root/test/fixtures/nodepad" || exit
    # shellcheck source=test/fixtures/nodepad/lib
    . ./lib
    images_of "$1"
  )
}
# A directory to build NodePad in: `airdock build` writes its lock file there.
nodepad_project() {
  mkdir -p "$scratch/project"
  cp -R "$root/templates" "$root/bundle.config.ts" "$scratch/project/"
  ln -sfn "$root/node_modules" "$scratch/project/node_modules"
}
nodepad_build() { # VERSION OUTPUT CACHE
  (cd "$scratch/project" && PATH=$dev/helm/4:$PATH exec "$airdock" build --no-installer --json --version "$1" --output "$2" --cache-dir "$3" \
    --mirror "ghcr.io=http://$registry" --mirror "docker.io=http://$registry" "${key[@]}")
}

# table OF: the results so far as Markdown; the last column says how many times as long OF took.
table() {
  echo
  "$node" "$bench/table.ts" "$results" "$1"
  : >"$results"
}
about() {
  echo "$(date -u +%F), commit $(git -C "$root" rev-parse --short HEAD), $(nproc) cores, kernel $(uname -r), load $(cut -d' ' -f1-3 /proc/loadavg), $("$node" --version)"
}
