# shellcheck shell=bash
# What a change can touch, for `scripts/test --changed`. vitest follows imports: it finds the tests that import a changed file.
# Tests with engines run the executable, which they do not import: for them there is the table.

# A path's beginning, then tests: a project, or PROJECT/WORD for its test files whose path goes on with WORD. The first line that
# fits counts; `-`: none. Unit tests stand here where they read a file and do not import it.
rooms() {
  cat <<'END'
src/build/                engine/build engine/bundle-is e2e/formats e2e/bootstrap
src/push/                 engine/push cluster
src/kubernetes/           cluster
src/policy/               e2e crash/irreversible cluster
src/vm/adopt/             engine/adopt e2e/neighbours crash/interrupted
src/vm/backups/           engine/backup engine/prove engine/beside e2e/backup e2e/by-hand
src/vm/compose-files/     engine/compose engine/adopt e2e/upgrade e2e/neighbours
src/vm/database/          engine/backup engine/prove e2e
src/vm/env/               engine/env-file e2e/install e2e/upgrade
src/vm/images/            engine/load-images e2e/install e2e/rollback e2e/engine28
src/vm/kept-databases/    engine/difference e2e/irreversible crash/irreversible
src/vm/plan/              e2e
src/vm/scratch/           engine/prove e2e/backup e2e/irreversible
src/vm/services/          engine/half-replaced e2e/failures e2e/upgrade e2e/rollback crash
src/vm/                   engine e2e crash
src/data/postgres/compare/ engine/fingerprint engine/difference engine/prove e2e/backup
src/data/                 engine/backup engine/prove engine/difference e2e/backup e2e/irreversible cluster
src/images/               engine/build engine/push engine/load-images e2e/install e2e/formats
src/bundle/               engine/build engine/bundle-is e2e/install e2e/formats cluster
src/cli/                  e2e cluster
src/                      engine e2e crash cluster
bin/                      engine e2e crash cluster
templates/chart/          unit/templates unit/build cluster
templates/                unit/build unit/templates engine/build e2e
bundle.config.ts          unit/build e2e crash cluster
package                   unit engine e2e crash cluster
vitest.config.ts          unit engine e2e crash cluster
tsconfig.json             unit/scripts/executable
scripts/engine            engine/host e2e/install
scripts/lib/snapshot      engine/host e2e/rollback
scripts/registry          engine/push engine/build
scripts/setup             engine/host engine/push
scripts/installer/        unit/scripts unit/cli e2e/bootstrap
scripts/                  unit/scripts
test/fixtures/nodepad/    e2e engine/adopt crash
test/fixtures/pad/        e2e crash
test/fixtures/cluster/    cluster
test/fixtures/            unit engine
docs/                     unit/scripts
test/attacks/             unit/scripts/threats
bench/                    -
.ci/                      -
END
}

# changed_files BASE: what differs from BASE, committed or not, new files too
changed_files() { { git diff --name-only "$1" && git ls-files --others --exclude-standard; } | LC_ALL=C sort -u; }

# touched_tests FILE: by the table
touched_tests() {
  rooms | awk -v file="$1" 'index(file, $1) == 1 { for (i = 2; i <= NF; i++) if ($i != "-") print $i; exit }'
}

# importing_tests BASE: PROJECT/FILE of each test that imports what was changed, or was changed itself
importing_tests() {
  vitest list --filesOnly --changed "$1" 2>/dev/null |
    sed -En -e 's|^\[unit\] test/(.*)\.test\.ts$|unit/\1|p' -e 's|^\[(.*)\] test/\1/(.*)\.test\.ts$|\1/\2|p'
}

# choose BASE: prints what was chosen, and why, on stderr; PROJECT or PROJECT/WORD, one a line, on stdout
choose() {
  local file tests
  {
    while read -r file; do
      tests=$(touched_tests "$file")
      printf '  %-48s %s\n' "$file" "${tests:+$(paste -sd' ' <<<"$tests")}" >&2
      if [ -n "$tests" ]; then echo "$tests"; fi
    done < <(changed_files "$1")
    importing_tests "$1" | tee >(sed 's/^/  by its imports: /' >&2)
  } | LC_ALL=C sort -u
}

# base_of_change: where this branch left what others have
base_of_change() {
  local upstream
  upstream=$(git rev-parse --verify -q main@{upstream} 2>/dev/null || git rev-parse --verify -q origin/main || git rev-parse --verify -q main)
  git merge-base HEAD "${upstream:?there is no main: name a revision}"
}

# narrowed PROJECT: the beginnings of its test files, by ${selected[@]}; nothing: all of them
narrowed() {
  local folder=test/$1/
  if [ "$1" = unit ]; then folder=test/; fi
  if ! printf '%s\n' "${selected[@]}" | grep -qx "$1"; then printf '%s\n' "${selected[@]}" | sed -n "s|^$1/|$folder|p"; fi
}
