# tempoftp: `make help` lists what there is to do here.
SHELL := /bin/bash -o pipefail
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
export ANSIBLE_HOME := $(CURDIR)/var/ansible
export PYTHONDONTWRITEBYTECODE :=
LAB := $(BIN)/python molecule/shared lab
COLLECTION := collections/ansible_collections/lanot/tempoftp

# What the lab's hosts, the demo and the tests need of the machine itself. mariadb-install-db of mariadb-server-core
# calls my_print_defaults, which mariadb-client-core brings.
APT_PACKAGES := mmdebstrap systemd systemd-container iptables iproute2 openssh-client rsync procps lftp curl wget \
	openssl python3-venv mariadb-server-core mariadb-client-core redis-tools btrfs-progs e2fsprogs nftables man-db \
	groff-base libsodium23

# pure-ftpd for tests on this machine: unpacked, since its package starts a server where it is installed. What it links
# with is among APT_PACKAGES (libsodium23; libmariadb3 comes with mariadb-client-core).
PURE_FTPD := var/pure-ftpd
PURE_FTPD_PACKAGES := pure-ftpd-mysql pure-ftpd-common

# The rsync of Debian 11, which is that of Rocky Linux 9, unpacked with its libraries.
OLDER_RSYNC := var/older-rsync
OLDER_RSYNC_PACKAGES := rsync libssl1.1 libpopt0 libxxhash0 libzstd1 liblz4-1 libacl1 zlib1g

# What drives a browser: the browser itself, and letters to draw.
BROWSER_PACKAGES := chromium fonts-dejavu-core fonts-liberation2

# $(call install,PACKAGES): the Debian packages of these that are missing.
install = missing=$$(for p in $(1); do dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || echo $$p; done); \
	if [ -n "$$missing" ]; then \
	  [ $$(id -u) = 0 ] || { echo "make: these Debian packages are missing and only root can install them: $$missing" >&2; exit 1; }; \
	  apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $$missing; \
	fi

.PHONY: help
help: ## List these targets
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | sort | awk -F':.*## ' '{printf "  \033[1m%-14s\033[0m %s\n", $$1, $$2}'

## ---- what is needed first ----

.PHONY: system
system: ## Install the Debian packages that the lab and the tests need (root)
	@$(call install,$(APT_PACKAGES))

.PHONY: venv
venv: $(VENV)/.complete ## Create .venv with the locked dependencies

$(VENV)/.complete: requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "tempoftp needs Python 3.11 or newer; set PYTHON=…")'
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || $(MAKE) --no-print-directory system
	@$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(PURE_FTPD)/.complete:
	@rm -rf $(@D) && mkdir -p $(@D)/packages
	@cd $(@D)/packages && { apt-get download -q $(PURE_FTPD_PACKAGES) || { apt-get update -q && apt-get download -q $(PURE_FTPD_PACKAGES); }; }
	@for package in $(@D)/packages/*.deb; do dpkg-deb -x $$package $(@D) || exit 1; done
	@touch $@

$(OLDER_RSYNC)/.complete: | $(VENV)/.complete
	@rm -rf $(@D)
	@PYTHONPATH=molecule/shared $(BIN)/python -m tests.support.older_packages bullseye $(@D) $(OLDER_RSYNC_PACKAGES)
	@touch $@

.PHONY: lock
lock: ## Resolve pyproject.toml into requirements.lock, requirements-dev.lock and requirements-build.lock (needs uv)
	uv pip compile -q --python-version 3.11 --universal --no-emit-index-url --no-header --no-annotate --generate-hashes \
	  --upgrade pyproject.toml -o requirements.lock
	uv pip compile -q --python-version 3.11 --universal --no-emit-index-url --no-header --no-annotate --generate-hashes \
	  --upgrade --group dev -c requirements.lock pyproject.toml -o requirements-dev.lock
	$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' | \
	  uv pip compile -q --python-version 3.11 --universal --no-emit-index-url --no-header --no-annotate --generate-hashes \
	  -c requirements-dev.lock - -o requirements-build.lock

## ---- without hosts ----

.PHONY: try
try: ## The service with simulated FTP hosts, until Ctrl-C: no root, no hosts, under two minutes (PORT=9043)
	@exec $(PYTHON) try.py $(if $(PORT),--port $(PORT))

## ---- the lab: real systemd hosts on this machine ----

.PHONY: lab-up
lab-up: system venv ## Bring up the lab's hosts (ftp1, source1)
	$(LAB) up

.PHONY: lab-down
lab-down: ## Stop the demo's API and worker and take the lab's hosts down; leaves nothing
	@[ ! -x $(BIN)/python ] || $(BIN)/python molecule/shared control stop --net $${TEMPOFTP_LAB_NET:-demo}
	@[ ! -x $(BIN)/python ] || $(LAB) down

.PHONY: lab-status
lab-status: venv ## Show the lab's hosts
	$(LAB) status

.PHONY: lab-ssh
lab-ssh: venv ## Root shell on a lab host, or run one command: make lab-ssh HOST=source1 [CMD='…']
	@[ -n "$(HOST)" ] || { echo "make: say which host: make lab-ssh HOST=ftp1 [CMD='…']" >&2; exit 2; }
	@$(LAB) ssh "$(HOST)" $${CMD:+-- "$$CMD"}

.PHONY: demo
demo: system venv ## From a bare checkout to one delivered share, on real hosts
	@$(BIN)/python molecule/shared demo

## ---- documentation ----

.PHONY: docs
docs: venv ## Build docs/ into build/docs, every link and anchor checked, and the man pages into build/man
	$(BIN)/python -m mkdocs build --quiet
	$(BIN)/python docs/man_pages.py build/man
	@echo "build/docs/index.html; man -l build/man/tempoftp.1"

## ---- checks and tests ----

.PHONY: unit
unit: venv ## Unit and contract tests: no root, no hosts, under two minutes
	$(BIN)/python -m pytest -q -n 2 -m "not lab and not faults and not processes and not browser" tests $(COLLECTION)/tests/unit

.PHONY: processes
processes: system venv $(PURE_FTPD)/.complete $(OLDER_RSYNC)/.complete ## Tests of real copies, playbooks and services on this machine, and of accounts in a real MariaDB
	$(BIN)/python -m pytest -q -n 2 -m "processes and not lab and not faults" tests $(COLLECTION)/tests/unit

.PHONY: simulation
simulation: venv ## Six months of use by a clock that jumps, and a long random walk: no root, no hosts, some minutes
	WALK_EXAMPLES=100 $(BIN)/python -m pytest -q -n 2 --timeout 1800 tests/service/walk

.PHONY: browser
browser: system venv ## The portal in a real Chromium, with axe, on the lab; on another service when TEMPOFTP_URL names it
	@$(call install,$(BROWSER_PACKAGES))
	$(BIN)/python -m pytest -q -m browser tests/browser

.PHONY: screenshots
screenshots: venv ## Pictures of every page of the portal into docs/screenshots
	@$(call install,$(BROWSER_PACKAGES))
	$(BIN)/python -m tests.browser.screenshots

.PHONY: messages
messages: venv ## Bring the portal's English texts up to date
	$(BIN)/python docs/translate.py

.PHONY: check
check: venv ## Linters, types, import rules, collection sanity
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/yamllint --strict .
	$(BIN)/ansible-lint --profile production --offline
	$(BIN)/python tests/collection/ansible_test.py

.PHONY: molecule
molecule: system venv ## Molecule scenarios on real hosts
	env -u MAKEFLAGS $(BIN)/python molecule/shared/run_scenarios.py default single_host existing_host life_cycle reboot options

.PHONY: e2e
e2e: system venv ## End to end on the lab: requests, copies, ways of delivery, FTPS downloads, a browser, some faults
	@$(call install,$(BROWSER_PACKAGES))
	@mkdir -p var
	env -u MAKEFLAGS $(BIN)/python -m pytest -q -m lab tests | tee var/e2e.log

.PHONY: faults
faults: system venv ## Every fault in every state on real hosts, and a table of what became of each (about an hour)
	TEMPOFTP_STAGE_NET=faults $(BIN)/python -m pytest -q -m faults tests/faults

.PHONY: platforms
platforms: system venv ## The ways of delivery on hosts with Debian 11, whose programs are of the age of Rocky Linux 9's
	TEMPOFTP_STAGE_NET=deb11 $(BIN)/python -m pytest -q -m lab tests/end_to_end -k "smoke or delivery"

.PHONY: test
test: system venv check unit processes ## Everything CI runs: check, unit, processes, then Molecule and the tests on real hosts
	@# Both wait most of the time, so side by side they take little longer than one. What each says comes when it has ended.
	$(MAKE) --no-print-directory -j2 --output-sync=target molecule e2e
	@tail -n 1 var/e2e.log

.PHONY: bench
bench: system venv ## Ratios against bare commands, measured alternately on the lab
	PYTHONPATH=molecule/shared $(BIN)/python -m tests.bench

# The list of what a release contains (SBOM) is read from an environment into which the release was installed: it has
# the licences and who needs whom, which the lock file does not say.
RELEASE ?= build/release

.PHONY: release
release: venv ## What is published of a version: wheel, collection, sources, list of contents (SBOM) and checksums, in build/release
	@$(call install,git)
	@rm -rf $(RELEASE) $(RELEASE).venv && mkdir -p $(RELEASE)
	@git archive --prefix tempoftp/ -o $(RELEASE)/tempoftp-sources.tar.gz HEAD
	@mkdir -p $(RELEASE).venv/sources && tar -xzf $(RELEASE)/tempoftp-sources.tar.gz -C $(RELEASE).venv/sources
	@$(BIN)/python -m pip wheel -q --disable-pip-version-check --no-deps --no-build-isolation -w $(RELEASE) $(RELEASE).venv/sources/tempoftp
	@$(BIN)/ansible-galaxy collection build $(RELEASE).venv/sources/tempoftp/$(COLLECTION) --output-path $(RELEASE) >/dev/null
	@$(BIN)/python -m venv $(RELEASE).venv/installed
	@$(RELEASE).venv/installed/bin/pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	@$(RELEASE).venv/installed/bin/pip install -q --disable-pip-version-check --no-deps --no-index $(RELEASE)/tempoftp-*.whl
	@$(RELEASE).venv/installed/bin/pip uninstall -q -y pip setuptools
	@$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible -o $(RELEASE)/tempoftp.cdx.json $(RELEASE).venv/installed
	@rm -rf $(RELEASE).venv && cd $(RELEASE) && sha256sum -- * > SHA256SUMS
	@ls -1 $(RELEASE)

.PHONY: clean
clean: lab-down ## Remove what was built here (keeps nothing of var/)
	rm -rf var $(VENV) .venv-try build .mypy_cache .ruff_cache .pytest_cache
