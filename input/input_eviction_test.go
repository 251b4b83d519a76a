package input

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

func TestGroupKeysExpireUnlessExpiringKeysAreEvicted(t *testing.T) {
	t.Parallel()
	for policy, expires := range map[string]bool{"noeviction": true, "allkeys-lru": true, "volatile-ttl": false} {
		server := redistest.Start(t, "--maxmemory-policy", policy)
		client := server.Client(t)
		write(t, client, "orders", "", "a")
		in, journal := openInput(t, server.URL(), "")
		assert.Equal(t, []string{"a"}, consume(t, in, 1))
		require.Eventually(
			t,
			func() bool { return committed(t, client, "orders") != "0-0" },
			time.Minute,
			time.Millisecond,
		)
		for _, key := range []string{"rafka:{orders}:lease:g", "rafka:{orders}:plan:g", "rafka:{orders}:members:g"} {
			assert.Equal(t, expires, client.PTTL(t.Context(), key).Val() > 0, "%s under %s", key, policy)
		}
		warned := journal.Lines("level=WARN")
		if policy != "allkeys-lru" {
			assert.Empty(t, warned)
			continue
		}
		assert.Len(t, warned, 1)
		assert.Contains(t, warned[0], "maxmemory-policy allkeys-lru")
	}
}
