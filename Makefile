# The same commands for people and CI. `make` alone lists them.

.PHONY: help demo test build format lint bench chaos cycles sanitize hostile fuzz fuzz-guided instructions accept-instructions api for-building for-testing for-counting swift

help:
	@echo "make demo     installs what is missing, builds in release, runs ten players of telephone on real sockets"
	@echo "make test     installs what is missing, runs all tests, counts the instructions of a message"
	@echo "make build    builds for development; the program is .build/debug/moonpeer"
	@echo "make format   formats the Swift code"
	@echo "make lint     checks the format of the Swift code, and the Lua code with luacheck"
	@echo "make bench    measures in release, and writes the table of docs/PERFORMANCE.md"
	@echo "make chaos    treats nodes badly for SECONDS (60) with the dice of SEED (any), and looks after every invariant"
	@echo "make cycles   connects and disconnects COUNT (100000) times on each backend; descriptors and heap stay flat"
	@echo "make sanitize runs the unit tests and the chaos test under the address and the thread sanitizer"
	@echo "make instructions         counts the instructions of a message in release; fails where they have grown"
	@echo "make accept-instructions  takes what it counts now as what is expected"
	@echo "make hostile  attacks a node in release: ATTACKERS=1000 SECONDS=20 SEED=1 BACKEND=epoll"
	@echo "make fuzz     broken input for all that reads: TIMES=20 (the inputs of make test, so many times) SEED=1"
	@echo "make fuzz-guided  the same by what code an input reaches, for SECONDS (60) in all; under the address sanitizer"
	@echo "make api      writes what is generated from the declaration of the Lua API"

demo: for-building
	swift build -c release --product moonpeer
	@echo
	"$$(swift build -c release --show-bin-path)/moonpeer" test examples/telephone/scenario.lua --show-logs

# Not all of a thousand at once: each step of a test would wait for all others', for seconds, and time-outs with it.
test: for-testing
	swift test --disable-xctest --experimental-maximum-parallelization-width 16
	@$(MAKE) --no-print-directory instructions

build: for-building
	swift build

format: swift
	swift format format --in-place --recursive --parallel Sources Tests Package.swift

# Both halves are run; a tool that is missing is named and left out.
lint:
	@status=0; \
	if swift format --version >/dev/null 2>&1; then \
	  swift format lint --strict --recursive --parallel Sources Tests Package.swift || status=1; \
	else echo "make lint: this toolchain has no swift format; the Swift code is not checked"; fi; \
	if command -v luacheck >/dev/null; then \
	  luacheck --quiet $(wildcard scripts examples) Sources || status=1; \
	else echo "make lint: luacheck is missing (apt-get install lua-check); the Lua code is not checked"; fi; \
	exit $$status

bench: for-building
	swift build -c release --product moonpeer-bench
	"$$(swift build -c release --show-bin-path)/moonpeer-bench" --table docs/PERFORMANCE.md

# Both run in release, which gets more done; `make test` has 20 s of the first and a short form of the second in debug.
COUNT ?= 100000

chaos: for-building
	swift build -c release --product Chaos
	"$$(swift build -c release --show-bin-path)/Chaos" --seconds $(or $(SECONDS),60) $(if $(SEED),--seed $(SEED))

cycles: for-building
	swift build -c release --product Chaos
	"$$(swift build -c release --show-bin-path)/Chaos" --cycles $(COUNT)

# Each sanitizer has a build of its own, which takes its time.
sanitize: for-testing
	Tests/sanitize/run address
	Tests/sanitize/run thread

# Counted and not timed, so that a busy machine says the same. Not a test of `swift test`: it is release code that is counted.
instructions: for-counting
	swift build -c release --product moonpeer-bench
	"$$(swift build -c release --show-bin-path)/moonpeer-bench" instructions Tests/instructions.txt

accept-instructions: for-counting
	swift build -c release --product moonpeer-bench
	"$$(swift build -c release --show-bin-path)/moonpeer-bench" instructions Tests/instructions.txt --accept

# Over a million inputs, which are counted; those that found something are kept in Tests/Corpus, which the tests read too.
fuzz: TIMES = 20
fuzz: SEED = 1
fuzz: for-testing
	Tests/fuzz/run $(TIMES) $(SEED)

# TARGETS: some of those that Tests/fuzz/guided names. It has a build of its own, which takes its time.
fuzz-guided: for-building
	Tests/fuzz/guided $(or $(SECONDS),60) $(TARGETS)

# The short form is a test, Tests/ScriptTests/HostilePeerTests.swift.
hostile: ATTACKERS = 1000
hostile: SECONDS = 20
hostile: SEED = 1
hostile: BACKEND = epoll
hostile: for-testing
	swift build -c release --product moonpeer
	python3 Tests/Hostile/hostile.py measure "$$(swift build -c release --show-bin-path)/moonpeer" $(BACKEND) $(SEED) $(ATTACKERS) $(SECONDS)

api: for-building
	swift run APIReference

# What has to be there. Each need is a command that succeeds where the Debian package beside it is not needed.

need = $(1) >/dev/null 2>&1 || missing="$$missing $(2)";

building = \
  $(call need,command -v pkg-config,pkg-config) \
  $(call need,pkg-config --exists lua5.4,liblua5.4-dev) \
  $(call need,pkg-config --exists libedit,libedit-dev)

testing = \
  $(call need,command -v redis-benchmark,redis-tools) \
  $(call need,command -v nc,netcat-openbsd) \
  $(call need,command -v luacheck,lua-check) \
  $(call need,command -v python3,python3)

counting = \
  $(call need,command -v valgrind,valgrind) \
  $(call need,command -v objcopy,binutils)

# The package lists of a fresh machine may be missing or old, so they are fetched where the first try fails.
install = \
  if [ -n "$$missing" ]; then \
    command -v apt-get >/dev/null || { echo "make: missing:$$missing; there is no apt-get here, so install them by hand" >&2; exit 1; }; \
    sudo=; if [ "$$(id -u)" != 0 ]; then \
      command -v sudo >/dev/null || { echo "make: missing:$$missing; run as root: apt-get install$$missing" >&2; exit 1; }; \
      sudo=sudo; \
    fi; \
    echo "installing$$missing"; \
    apt="$$sudo env DEBIAN_FRONTEND=noninteractive apt-get"; \
    $$apt install -y --no-install-recommends $$missing || { $$apt update && $$apt install -y --no-install-recommends $$missing; }; \
  fi

for-building: swift
	@missing=; $(building) $(install)

for-testing: swift
	@missing=; $(building) $(testing) $(install)

# Where there is no valgrind to be had the count says so and is left out; all else goes on.
for-counting: for-building
	@missing=; $(counting) if [ -n "$$missing" ]; then ( $(install) ) || echo "make: no$$missing here: instructions cannot be counted" >&2; fi

swift:
	@command -v swift >/dev/null || { echo "make: Swift 6.2 or later is missing: see https://www.swift.org/install" >&2; exit 1; }
