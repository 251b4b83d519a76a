package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// If the linter accepts a config, rafka echo does not show its password.
func TestEchoShowsNoPassword(t *testing.T) {
	accepted := 0
	for _, fields := range []string{
		`url: "redis://:Hunter2@h:1"`, `url: "redis://:Hunter2@h:1\n"`, `url: "redis://:Hunter2@h:1 "`,
		`url: " rediss://u:Hunter2@h/1"`,
		`url: "redis://:Hunter2@a:1, redis://b:1", kind: cluster`,
		`url: "redis://:Hunter2@a:1,redis://b:1", kind: cluster`,
		`url: "redis://:Hunter2@[::1]:1,redis://[::1]:2", kind: cluster`, `url: "redis://:Hunter2@[::1]:1"`,
		`url: "redis://a,redis://:Hunter2@b", kind: failover, master: m`,
		`url: "redis://u:Hunter2@a,redis://u:Hunter2@b", kind: failover, master: m`,
		`url: "unix://:Hunter2@/r.sock?db=1"`, `url: "redis://h?password=Hunter2"`,
		`url: "redis://h?sentinel_password=Hunter2", kind: failover, master: m`,
		`url: "redis://:$%7BHunter2%7D@h"`, `url: "redis://:a%40%2FHunter2@h"`, `url: "redis://:a@Hunter2@h"`,
		`url: "redis://Hunter2@h"`,
		`url: "redis://h", password: Hunter2`, `url: "redis://h", password: "${{Hunter2}}"`,
		`url: "redis://h", kind: failover, master: m, sentinel_password: Hunter2`,
	} {
		path := writeFile(t, "rafka.yaml", fmt.Sprintf(
			"input: {generate: {mapping: 'root = 1'}}\noutput: {rafka: {%s, stream_name: f}}\n", fields))
		lint := rafkaProcess(t, "lint", path)
		assert.NotContains(t, lint.stdout+lint.stderr, "Hunter2", fields)
		check := rafkaProcess(t, "check", path)
		assert.NotContains(t, strings.ReplaceAll(check.stdout+check.stderr, path, ""), "Hunter2", fields)
		if lint.code != 0 {
			continue
		}
		accepted++
		echo := rafkaProcess(t, "echo", path)
		assert.Zero(t, echo.code, fields)
		assert.NotContains(t, echo.stdout+echo.stderr, "Hunter2", fields)
		assert.Contains(t, echo.stdout, "SECRET_SCRUBBED", fields)
	}
	assert.GreaterOrEqual(t, accepted, 8)
}

func TestHelpShowsNoPasswordOfTheEnvironment(t *testing.T) {
	t.Setenv("RAFKA_URL", "redis://:Hunter2@h:1")
	t.Setenv("RAFKA_SENTINEL_PASSWORD", "Hunter2")
	help := rafkaProcess(t, "topic", "list", "--help")
	assert.Contains(t, help.stdout, "RAFKA_URL")
	assert.NotContains(t, help.stdout, "Hunter2")
}
