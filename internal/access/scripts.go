package access

import (
	"embed"

	"github.com/rafka-streams/rafka/internal/script"
)

//go:embed lua
var lua embed.FS

func source(name string) string { return script.Source(lua, name) }

var (
	abilitiesScript = script.New("abilities", source("abilities"))
	checkScript     = script.New("check", source("check"))
)
