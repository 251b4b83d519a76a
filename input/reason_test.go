package input

import (
	"errors"
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"

	"github.com/rafka-streams/rafka/internal/access"
	"github.com/rafka-streams/rafka/splits"
)

// reply is an error reply of a server.
type reply string

func (r reply) Error() string { return string(r) }

func (reply) RedisError() {}

var _ redis.Error = reply("")

func TestReasonsThatAreReportedAgain(t *testing.T) {
	refused := &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	reset := &net.OpError{Op: "read", Err: errors.New("connection reset")}
	old := &access.OldServerError{Found: "Redis 6.2"}
	xread := fmt.Errorf("checking: %w", reply("NOPERM no permission for xread"))
	xadd := fmt.Errorf("checking: %w", reply("NOPERM no permission for xadd"))
	for what, c := range map[string]struct {
		before, now            error
		sameReport, sameRemedy bool
	}{
		"nothing before":         {nil, refused, false, false},
		"network":                {refused, reset, true, true},
		"network, then password": {refused, reply("WRONGPASS x"), false, false},
		"network, then too old":  {refused, old, false, true},
		"too old":                {old, old, true, true},
		"another permission":     {xread, xadd, false, true},
		"two temporary errors": {
			fmt.Errorf("reading: %w", reply("UNBLOCKED x")), fmt.Errorf("beating: %w", reply("READONLY x")),
			false, false,
		},
		"another attempt": {
			fmt.Errorf("reading: %w", reply("READONLY x")), fmt.Errorf("beating: %w", reply("READONLY y")), true, true,
		},
	} {
		assert.Equal(t, c.sameReport, sameReport(c.before, c.now), what)
		assert.Equal(t, c.sameRemedy, sameRemedy(c.before, c.now), what)
	}
}

// Regression: while a server loads its data, reads fail with LOADING and other requests with a
// timeout. The input logged each change from one to the other.
func TestCausesThatComeByTurnsAreReportedOnce(t *testing.T) {
	in := newInput(&settings{topic: "orders", group: "g", consumer: splits.Config{Heartbeat: time.Second}},
		service.MockResources())
	loading, slow := fmt.Errorf("reading: %w", reply("LOADING x")), fmt.Errorf("inspecting: %w", os.ErrDeadlineExceeded)
	reported := 0
	for range 10 {
		for _, err := range []error{loading, slow} {
			if in.mustReport(err) {
				reported++
				in.reported.Add(err, time.Now())
				in.causeShown = true
			}
		}
	}
	assert.Equal(t, 2, reported)
	in.reported.Add(loading, time.Now().Add(-repeatCause))
	in.reported.Add(slow, time.Now())
	assert.True(t, in.mustReport(loading), "the engine's /ready still shows the other cause")
}
