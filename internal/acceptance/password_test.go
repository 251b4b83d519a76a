package acceptance

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/admin"
	"github.com/rafka-streams/rafka/internal/redistest"
)

// awaitCommitted waits until the pipeline has committed everything.
func awaitCommitted(t *testing.T, client *redis.Client) {
	t.Helper()
	operator := admin.New(client)
	require.Eventually(t, func() bool {
		group, err := operator.DescribeGroup(t.Context(), "orders", "copier")
		for _, p := range group.Partitions {
			if p.Lag != 0 {
				return false
			}
		}
		return err == nil && len(group.Partitions) == partitions
	}, time.Minute, 20*time.Millisecond)
}

// Revoking a password does not affect connected clients. A client that reconnects is rejected and
// logs that; it continues when the password is valid again, or in a new process with the new
// password. Nothing is lost or delivered twice.
func TestPipelineSurvivesPasswordRotation(t *testing.T) {
	const newPassword = "username: ann\npassword: new\n"
	type recovery func(t *testing.T, p *pipeline, s *redistest.Server, c *redis.Client) *pipeline
	for what, goOn := range map[string]recovery{
		"the old one is valid again": func(t *testing.T, p *pipeline, s *redistest.Server, c *redis.Client) *pipeline {
			t.Helper()
			do(ann(">pw"))(t, s, c)
			return p
		},
		"restarted with the new one": func(t *testing.T, p *pipeline, s *redistest.Server, _ *redis.Client) *pipeline {
			t.Helper()
			p.stop(t)
			return start(t, copier{url: s.URL(), credentials: newPassword})
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			client := server.Client(t)
			do(everything, ann(">new"))(t, server, client)
			source := newSource(t, client)
			p := start(t, copier{url: server.URL(), credentials: asAnn, session: "6s"})
			source.write(t, 100)
			source.awaitCopies(t, 0)
			p.awaitReady(t, 200)

			do(ann("<pw"))(t, server, client)
			source.write(t, 200)
			source.awaitCopies(t, 0)
			awaitCommitted(t, client)

			do([]any{"CLIENT", "KILL", "USER", "ann"})(t, server, client)
			source.write(t, 100)
			p.awaitReady(t, 503)
			logged := func(component string) bool {
				return len(p.journal.Lines("WRONGPASS", "check `username` and `password`", component)) > 0
			}
			require.Eventually(t, func() bool { return logged("path=root.input") }, time.Minute, 20*time.Millisecond)
			require.LessOrEqual(t, len(p.journal.Lines("level=ERROR")), 8, "few lines per cause")

			p = goOn(t, p, server, client)
			source.write(t, 100)
			source.awaitCopies(t, 0)
			p.awaitReady(t, 200)
			awaitCommitted(t, client)
			source.requireOnce(t)
		})
	}
}
