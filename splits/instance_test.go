package splits

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestTheLaterIncarnationSupersedes(t *testing.T) {
	for name, test := range map[string]struct {
		owner, other string
		want         bool
	}{
		"higher number":             {"rafka/a/10-X", "rafka/a/9-Y", true},
		"lower number":              {"rafka/a/9-Y", "rafka/a/10-X", false},
		"itself":                    {"rafka/a/9-Y", "rafka/a/9-Y", false},
		"same number, later text":   {"rafka/a/9-Z", "rafka/a/9-Y", true},
		"same number, earlier text": {"rafka/a/9-Y", "rafka/a/9-Z", false},
		"another member":            {"rafka/b/10-X", "rafka/a/9-Y", false},
		"no incarnation":            {"rafka/host/RANDOM", "rafka/host/OTHER", false},
		"of one that is none":       {"rafka/a/10-X", "rafka/a/RANDOM", false},
		"nothing":                   {"", "", false},
		"no text":                   {"rafka/a/10-", "rafka/a/9-", false},
		"made and compared":         {Incarnation("rafka/a", 1<<52, "A"), Incarnation("rafka/a", 1<<52-1, "B"), true},
	} {
		assert.Equal(t, test.want, Supersedes(test.owner, test.other), name)
	}
}
