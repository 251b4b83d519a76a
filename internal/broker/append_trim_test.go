package broker

import (
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/appender"
	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/redistest"
)

func TestAppendTrimsByLengthAndByAge(t *testing.T) {
	s := onRedis(t)
	require.NoError(t, s.Client.ConfigSet(t.Context(), "stream-node-max-entries", "10").Err())
	byLength := NewAppends(s.Client, AppendOptions{MaxLength: 20})
	for seq := range uint64(100) {
		require.Equal(t, appender.Written, appendOne(t, byLength, part(1, seq+1, "x")).Status)
	}
	assert.Less(t, len(bodies(t, s.Client, "s")), 31)

	for i := range 30 {
		s.Add(t, "old", fmt.Sprintf("100-%d", i+1))
	}
	p := part(1, 1, "new")
	p.Target.Key = "old"
	byAge := NewAppends(s.Client, AppendOptions{MaxAge: time.Hour})
	require.Equal(t, appender.Written, appendOne(t, byAge, p).Status)
	assert.Equal(
		t,
		[]string{"new"},
		bodies(t, s.Client, "old"),
		"only whole nodes are trimmed, and all old ones are whole",
	)
}

// The script once requested the time after it had written the entries. If the user lacked the
// permission for TIME, the next append used the number of these entries again and was taken for a
// duplicate.
func TestAppendWithoutPermissionForTimeWritesNothing(t *testing.T) {
	server := redistest.Start(t)
	admin := server.Client(t)
	require.NoError(t, admin.Do(t.Context(), "acl", "setuser", "u", "on", ">pw", "~*", "+@all", "-time").Err())
	client := server.Client(t, func(o *redis.Options) { o.Username, o.Password = "u", "pw" })
	a := NewAppends(client, AppendOptions{MaxAge: time.Hour})
	result := appendOne(t, a, part(1, 1, "x"))
	assert.Equal(t, appender.Failed, result.Status)
	assert.Equal(t, rediserr.ClassPermission, rediserr.Classify(result.Err), "%v", result.Err)
	assert.Zero(t, admin.DBSize(t.Context()).Val())
}

// If both limits of stream nodes are 0, the stream is a single node, and approximate trimming
// removes nothing from a single node.
func TestAppendTrimsAStreamOfASingleNode(t *testing.T) {
	s := onRedis(t)
	require.NoError(t, s.Client.ConfigSet(t.Context(), "stream-node-max-entries", "0").Err())
	require.NoError(t, s.Client.ConfigSet(t.Context(), "stream-node-max-bytes", "0").Err())
	for most, bound := range map[int64]int{1: 1, 20: 20, 300: 400} {
		a := NewAppends(s.Client, AppendOptions{MaxLength: most})
		p := part(1, 0, "x", "y", "z")
		p.Target.Key = fmt.Sprintf("by-length-%d", most)
		for range 300 {
			p.Seq++
			require.Equal(t, appender.Written, appendOne(t, a, p).Status)
			assert.LessOrEqual(t, len(bodies(t, s.Client, p.Target.Key)), bound)
		}
		assert.GreaterOrEqual(t, len(bodies(t, s.Client, p.Target.Key)), int(most))
	}
	for i := range 30 {
		s.Add(t, "old", fmt.Sprintf("100-%d", i+1))
	}
	p := part(1, 1, "new")
	p.Target.Key = "old"
	byAge := NewAppends(s.Client, AppendOptions{MaxAge: time.Hour})
	require.Equal(t, appender.Written, appendOne(t, byAge, p).Status)
	assert.Equal(t, []string{"new"}, bodies(t, s.Client, "old"))
}
