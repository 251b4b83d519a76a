package broker

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/appender"
	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/redistest"
)

// The stream's last ID is the second highest possible ID, so the stream accepts one more entry.
func TestAppendThatFailsMidwayReportsTheWrittenCount(t *testing.T) {
	s := onRedis(t)
	s.Add(t, "s", "18446744073709551615-18446744073709551614")
	p := part(1, 1, "a", "b", "c")
	p.Records[1].Fields = append(p.Records[1].Fields, "f", "v") // the second record begins a new run
	result := appendOne(t, NewAppends(s.Client, AppendOptions{}), p)
	assert.Equal(t, appender.Partial, result.Status)
	assert.Equal(t, 1, result.Count)
	assert.ErrorContains(t, result.Err, "exhausted the last possible ID")
	assert.Equal(t, []string{"x", "a"}, bodies(t, s.Client, "s"))
	assert.Equal(t, "1:0", producerState(t, s.Client))
}

func TestAppendReportsAFailedTrimButSucceeds(t *testing.T) {
	server := redistest.Start(t)
	require.NoError(
		t,
		server.Client(t).Do(t.Context(), "acl", "setuser", "u", "on", ">pw", "~*", "+@all", "-xtrim").Err(),
	)
	client := server.Client(t, func(o *redis.Options) { o.Username, o.Password = "u", "pw" })
	var reported []error
	a := NewAppends(
		client,
		AppendOptions{MaxLength: 1, MaxAge: time.Hour, TrimFailed: func(target appender.Target, err error) {
			assert.Equal(t, "s", target.Key)
			reported = append(reported, err)
		}},
	)
	require.Equal(t, appender.Written, appendOne(t, a, part(1, 1, "x")).Status)
	require.Len(t, reported, 1)
	assert.Equal(t, rediserr.ClassPermission, rediserr.Classify(reported[0]), reported[0])
}

func TestAppendWithoutAReplyIsUnknownAndARetryIsADuplicate(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t, func(o *redis.Options) { o.ReadTimeout = 200 * time.Millisecond })
	a := NewAppends(client, AppendOptions{})
	require.Equal(t, appender.Written, appendOne(t, a, part(1, 1, "a")).Status)
	server.Pause(t)
	assert.Equal(t, appender.Unknown, appendOne(t, a, part(1, 2, "b")).Status)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	assert.Equal(t, appender.Unknown, a.Append(ctx, []appender.Request{part(1, 2, "b")})[0].Status, "a deadline")
	server.Resume(t)
	patient := NewAppends(server.Client(t), AppendOptions{})
	require.Eventually(
		t,
		func() bool { return len(bodies(t, server.Client(t), "s")) == 2 },
		time.Minute,
		10*time.Millisecond,
	)
	assert.Equal(t, appender.Duplicate, appendOne(t, patient, part(1, 2, "b")).Status)
}

func TestAppendThatWasNeverSentIsRefused(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t, func(o *redis.Options) {
		o.PoolSize, o.PipelinePoolSize, o.PoolTimeout = 1, -1, 20*time.Millisecond
	})
	a := NewAppends(client, AppendOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.Equal(
		t,
		appender.Refused,
		a.Append(ctx, []appender.Request{part(1, 1, "a")})[0].Status,
		"context ended before",
	)

	require.NoError(t, client.Watch(t.Context(), func(*redis.Tx) error { // holds a connection
		assert.Equal(t, appender.Refused, appendOne(t, a, part(1, 1, "a")).Status, "no free connection")
		return nil
	}, "k"))

	server.Kill(t)
	require.Eventually(
		t,
		func() bool { return appendOne(t, a, part(1, 1, "a")).Status == appender.Refused },
		time.Minute,
		time.Millisecond,
	)
	assert.Equal(t, appender.Refused, appendOne(t, a, part(1, 1, "a")).Status, "connection refused")

	again := server.Client(t, func(o *redis.Options) { o.MaxRetries = 1 })
	assert.Equal(t, appender.Unknown, appendOne(t, NewAppends(again, AppendOptions{}), part(1, 1, "a")).Status,
		"a client that retries may have sent it the first time")
	require.NoError(t, client.Close())
	assert.Equal(t, appender.Failed, appendOne(t, a, part(1, 1, "a")).Status, "closed")
}

func TestAppendByAResendingClientNeverReusesTheSequence(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t, func(o *redis.Options) { o.MaxRetries = 3 })
	require.NoError(t, client.Set(t.Context(), "s", "text", 0).Err())
	result := appendOne(t, NewAppends(client, AppendOptions{}), part(1, 1, "a"))
	assert.Equal(t, appender.Partial, result.Status)
	assert.Zero(t, result.Count)
}

// If this append gave up, its records would be written a second time, although the server may have
// executed an earlier attempt without a reply.
func TestAppendCanBeRetriedAfterARejectedPassword(t *testing.T) {
	server := redistest.Start(t, "--requirepass", "pw")
	for _, wrong := range []string{"", "old"} {
		client := server.Client(t, func(o *redis.Options) { o.Password = wrong })
		result := appendOne(t, NewAppends(client, AppendOptions{}), part(1, 1, "a"))
		assert.Equal(t, appender.Refused, result.Status)
		assert.ErrorContains(t, result.Err, "password")
	}
}
