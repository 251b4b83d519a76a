package access

import (
	"embed"

	"github.com/rafka-streams/rafka/internal/script"
)

//go:embed lua
var lua embed.FS

func source(name string) string { return script.Source(lua, name) }

var (
	capabilitiesScript = script.New("capabilities", source("capabilities"))
	checkScript        = script.New("check", source("check"))
)
