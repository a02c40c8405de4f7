# What `.ci/run` does besides, while there is a lab: it reads this file, and calls lab_needs and lab_steps.

lab_needs() {
  # For the image and what stands around it. Where Docker's engine runs, that builds it.
  docker info >/dev/null 2>&1 || { need podman podman; need runc runc; need debootstrap debootstrap; }
  need haproxy haproxy
  need nginx nginx
  need psql postgresql-client
  need pgbouncer pgbouncer
  ls /usr/lib/*/faketime/libfaketime.so.1 >/dev/null 2>&1 || missing+=(libfaketime)
}

lab_steps() {
  step 'test:template' 1500 npm run test:template -- --reporter=default --reporter=json --outputFile.json="$results/template.json"
  count "$results/template.json"

  step 'test:packaging' 600 npm run test:packaging -- --reporter=default --reporter=json --outputFile.json="$results/packaging.json"
  count "$results/packaging.json"

  # A shared machine may take three times as long; the figures of docs/reliability.md are made without such slack.
  RELIABILITY=short RELIABILITY_SLACK=3 step 'test:reliability' 900 npm run test:reliability -- --reporter=default --reporter=json --outputFile.json="$results/reliability.json"
  count "$results/reliability.json"
}
