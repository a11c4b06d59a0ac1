# The lab's commands; `just` lists them. Chaos and shop need only just and curl.
set dotenv-load
set positional-arguments

gateway := "http://localhost:" + env("GATEWAY_PORT", "3000")
desk := "http://localhost:" + env("DESK_PORT", "4000")
ask := "curl -s --fail-with-body"

# 22: it said no, and what is possible instead.
or-say := "|| case $? in 22) exit 2 ;; *) echo 'no control desk at " + desk + ": start the lab with cargo run or just up' >&2; exit 1 ;; esac"

start := "docker compose " + started
started := "up --build --detach --wait"

# The shop, its metrics and who is paged; what these need comes with them. Telemetry goes to the lab.
core := "web-gateway order-api fulfillment-worker lab prometheus alertmanager grafana"

# List the recipes
default:
    @"{{ just_executable() }}" --justfile "{{ justfile() }}" --list --unsorted

# List the faults, see what is on (status), or turn one on: just chaos latency ms=800 p=0.5 for=5m
[group("chaos")]
[no-exit-message]
chaos name="" *settings:
    @case "$1" in ''|status) {{ ask }} "{{ desk }}/chaos${1:+/$1}" {{ or-say }}; exit ;; esac; \
    name=$1; shift; \
    for setting; do shift; set -- "$@" --data-urlencode "$setting"; done; \
    {{ ask }} --request POST "$@" "{{ desk }}/chaos/$name" {{ or-say }}

# See where to look for the cause of a fault, in three steps: just hint latency 2
[group("chaos")]
[no-exit-message]
hint name step="1":
    @{{ ask }} "{{ desk }}/chaos/$1/hint/$2" {{ or-say }}

# Read all about a fault: what happens, what ends it, and what only looks like the cause
[group("chaos")]
[no-exit-message]
story name:
    @{{ ask }} "{{ desk }}/chaos/$1" {{ or-say }}

# Turn one fault off, or all of them
[group("chaos")]
[no-exit-message]
heal name="":
    @{{ ask }} --request DELETE "{{ desk }}/chaos${1:+/$1}" {{ or-say }}

# Hold faults to their contracts, in labs of their own: just prove pool-leak (needs cargo and prometheus)
[group("chaos")]
[no-exit-message]
prove *names:
    @cargo run --quiet --bin lab -- prove "$@"

# See how everything is: services, traffic, queue, faults
[group("shop")]
[no-exit-message]
status:
    @{{ ask }} "{{ desk }}/status" {{ or-say }}

# See the alerts that fire, and those that were resolved
[group("shop")]
[no-exit-message]
alerts:
    @{{ ask }} "{{ desk }}/alerts" {{ or-say }}

# See the last traces, or some: just traces slow=500ms error=true route=/orders
[group("shop")]
[no-exit-message]
traces *filters:
    @for filter; do shift; set -- "$@" --data-urlencode "$filter"; done; \
    {{ ask }} --get "$@" "{{ desk }}/traces" {{ or-say }}

# See one trace, drawn: just trace 4bf92f3577b34da6a3ce929d0e0e4736, or a whole traceparent
[group("shop")]
[no-exit-message]
trace id:
    @{{ ask }} "{{ desk }}/traces/$1?width=${COLUMNS:-120}" {{ or-say }}

# See how many customers come, or let so many journeys begin per second: just load 50
[group("shop")]
[no-exit-message]
load rate="":
    @{{ ask }} ${1:+--request PUT --data-urlencode "rate=$1"} "{{ desk }}/load" {{ or-say }}

# See how the payment provider is, or change it: just provider capacity=4 median_ms=50 available=true
[group("shop")]
[no-exit-message]
provider *settings:
    @for setting; do shift; set -- "$@" --data-urlencode "$setting"; done; \
    {{ ask }} ${1:+--request PUT} "$@" "{{ desk }}/provider" {{ or-say }}

# See what the services work with, or change it: just setting web-gateway request-deadline=5s
[group("shop")]
[no-exit-message]
setting service="" *settings:
    @service=$1; [ $# = 0 ] || shift; \
    for setting; do shift; set -- "$@" --data-urlencode "$setting"; done; \
    {{ ask }} ${service:+--request PUT} "$@" "{{ desk }}/settings${service:+/$service}" {{ or-say }}

# Let a service run the release before its last one: just rollback order-api
[group("shop")]
[no-exit-message]
rollback service:
    @{{ ask }} --request POST "{{ desk }}/releases/$1/rollback" {{ or-say }}

# Place an order and follow it until nothing is left to do for it: just order TEA-003 2
[group("shop")]
[no-exit-message]
order sku="TEA-001" quantity="1":
    #!/bin/sh
    cart="{\"items\":[{\"sku\":\"$1\",\"quantity\":$2}]}"
    order=$({{ ask }} --header "content-type: application/json" --data "$cart" "{{ gateway }}/orders"); code=$?
    echo "${order:-no shop at {{ gateway }}: start the lab with cargo run or just up}"
    case $code in 0) ;; 22) exit 2 ;; *) exit 1 ;; esac
    id=$(echo "$order" | sed 's/.*"id":"\([^"]*\)".*/\1/')
    while case $order in *'"placed"'*) ;; *) false ;; esac; do
        sleep 0.2; order=$({{ ask }} "{{ gateway }}/orders/$id") || exit 1
    done
    echo "$order"

# Sign in, and print a token: curl -H "authorization: Bearer $(just token)" localhost:3000/orders
[group("shop")]
[no-exit-message]
token user="ada" password="analytical":
    #!/bin/sh
    form="{\"username\":\"$1\",\"password\":\"$2\"}"
    answer=$({{ ask }} --header "content-type: application/json" --data "$form" "{{ gateway }}/auth/login"); code=$?
    case $code in
        0) echo "$answer" | sed 's/.*"access_token":"\([^"]*\)".*/\1/' ;;
        22) echo "$answer" >&2; exit 2 ;;
        *) echo 'no shop at {{ gateway }}: start the lab with cargo run or just up' >&2; exit 1 ;;
    esac

# Look at the orders that were given up
[group("shop")]
[no-exit-message]
dlq:
    @{{ ask }} "{{ desk }}/dlq" {{ or-say }}

# Put the orders that were given up back, to be tried again
[group("shop")]
[no-exit-message]
dlq-replay:
    @{{ ask }} --request POST "{{ desk }}/dlq/replay" {{ or-say }}

# Announce orders again that nobody has heard of, if they are older than 30 seconds: just announce 600
[group("shop")]
[no-exit-message]
announce longer-ago-s="":
    @{{ ask }} --request POST ${1:+--data-urlencode "longer_ago_s=$1"} "{{ desk }}/announcements" {{ or-say }}

# Build and start the stack in Docker: all of it, or less (just up core), or more (just up elk, just up canary)
[group("compose")]
[no-exit-message]
up what="":
    @case "$1" in \
        '') {{ start }} ;; \
        core) OTEL_EXPORTER_OTLP_ENDPOINT=http://lab:4317 TRACE_PAGES={{ desk }}/traces {{ start }} {{ core }} ;; \
        elk) COMPOSE_PROFILES=elk {{ start }} ;; \
        canary) docker compose --profile canary {{ started }} ;; \
        *) echo "there is no $1 to start: just up, just up core, just up elk or just up canary" >&2; exit 2 ;; esac

# Ask the stack as many customers do: just k6 smoke, load, stress, spike or mixed
[group("compose")]
[no-exit-message]
k6 script="smoke":
    K6_SCRIPT="$1" docker compose run --rm k6

# Stop it; its data stays
[group("compose")]
down:
    docker compose --profile '*' down

# Follow the logs of all but the lab, which knows the answers, or of some: just logs order-api
[group("compose")]
logs *services:
    [ $# -gt 0 ] || set -- $(docker compose ps --services | grep -vx lab); docker compose logs --follow --tail 100 "$@"

# See what runs
[group("compose")]
ps:
    docker compose ps

# Set up what the tests need, and run them all
[group("project")]
test:
    ./test

# Run what has to pass before a change lands
[group("project")]
ci:
    .ci/run
