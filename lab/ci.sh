# The lab's steps of `.ci/run`, which sources this file and calls lab_needs, lab_begin and lab_steps.

lab_needs() {
  # Builds the image where Docker's engine does not run.
  docker info >/dev/null 2>&1 || { need podman podman; need runc runc; need debootstrap debootstrap; }
  need haproxy haproxy
  need nginx nginx
  need psql postgresql-client
  need pgbouncer pgbouncer
  ls /usr/lib/*/faketime/libfaketime.so.1 >/dev/null 2>&1 || missing+=(libfaketime)
}

# These suites assert no times and mostly wait, so they run beside the others.
lab_begin() {
  (
    for name in packaging template; do
      {
        step "test:$name" 1800 npm run "test:$name" -- --reporter=default --reporter=json --outputFile.json="$results/$name.json"
        echo "$status" >"$results/$name.status"
      } >"$results/$name.log" 2>&1
    done
  ) &
  beside=$!
}

lab_steps() {
  wait "$beside"
  local name
  for name in packaging template; do
    cat "$results/$name.log"
    status=$(<"$results/$name.status") label="test:$name"
    count "$results/$name.json"
  done

  # Alone: it asserts times. A shared machine may take three times as long; docs/reliability.md is made without such slack.
  RELIABILITY=short RELIABILITY_SLACK=3 step 'test:reliability' 900 npm run test:reliability -- --reporter=default --reporter=json --outputFile.json="$results/reliability.json"
  count "$results/reliability.json"
}
