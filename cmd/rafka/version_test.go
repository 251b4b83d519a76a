package main

import (
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestLinkerVersionOverridesToolchainVersion(t *testing.T) {
	version, date := stamps(nil)
	assert.Equal(t, "unknown", version)
	assert.Equal(t, "unknown", date)

	info := &debug.BuildInfo{
		Main:     debug.Module{Version: "v1.2.3"},
		Settings: []debug.BuildSetting{{Key: "vcs.time", Value: "2026-01-31T12:00:00Z"}},
	}
	version, date = stamps(info)
	assert.Equal(t, "v1.2.3", version)
	assert.Equal(t, "2026-01-31T12:00:00Z", date)

	linkedVersion, linkedDate = "v2.0.0", "today"
	t.Cleanup(func() { linkedVersion, linkedDate = "", "" })
	version, date = stamps(info)
	assert.Equal(t, "v2.0.0", version)
	assert.Equal(t, "today", date)
}
