# The front door; CMake does the work (CMakePresets.json).
#   make run [CMD='python3 script.py'] [ROUNDS=5]   build, then run a real program under hakmem beside libc
#   make test      everything that is checked; the last line is the summary     make lint, make format
#   make bench     the benches beside the allocators found on this machine      make install [PREFIX=/usr/local]
.PHONY: all run test bench lint format install package clean

JOBS ?= $(shell nproc)
PREFIX ?= /usr/local
ROUNDS ?= 5
export CMD ROUNDS JOBS

all:
	@scripts/build.sh release

run:
	@scripts/bootstrap.sh run
	@scripts/run.sh

test:
	@scripts/bootstrap.sh test
	@scripts/test.sh

bench:
	@scripts/bootstrap.sh run
	@scripts/build.sh release
	@scripts/bench.sh

lint:
	@scripts/bootstrap.sh test
	@scripts/test.sh lint

format:
	@scripts/format.sh

install:
	@scripts/build.sh release
	@cmake --install build/release --prefix "$(PREFIX)"

package:
	@scripts/build.sh release
	@cd build/release && cpack

clean:
	rm -rf build
