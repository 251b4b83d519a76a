package output

import (
	"testing"
	"time"

	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDefaults(t *testing.T) {
	s, err := construct(t, minimal)
	require.NoError(t, err)
	assert.Equal(t, "orders", s.topic)
	assert.Zero(t, s.partitions)
	assert.Equal(t, murmur2Hash, s.partitioner)
	assert.Nil(t, s.key)
	assert.Nil(t, s.partition)
	assert.Equal(t, "body", s.bodyKey)
	assert.True(t, s.idempotent)
	assert.EqualValues(t, 64_000_000, s.maxMessageBytes)
	assert.Zero(t, s.maxLength)
	assert.Zero(t, s.maxAge)
	assert.Equal(
		t,
		retryPolicy{initial: 100 * time.Millisecond, longest: 2 * time.Second, maxElapsed: 2 * time.Minute},
		s.retry,
	)
	assert.Equal(t, 64, s.maxInFlight)
	assert.True(t, s.batching.IsNoop())
}

// A key is set to keep the order, which several batches in flight do not keep.
func TestMaxInFlightFollowsFromTheKey(t *testing.T) {
	for fields, want := range map[string]int{
		"":                                 64,
		"key: ''":                          64,
		"key: ${! @id }":                   1,
		"key: fixed":                       1,
		"key: ${! @id }\nmax_in_flight: 8": 8,
		"max_in_flight: 1":                 1,
	} {
		s, err := construct(t, minimal+fields)
		require.NoError(t, err)
		assert.Equal(t, want, s.maxInFlight, fields)
	}
}

func TestSettingsAreParsed(t *testing.T) {
	s, err := construct(t, `
url: redis://localhost:6379
stream_name: orders-${! @region }
partitions: 12
key: ${! @id }
body_key: payload
idempotent_write: false
max_message_bytes: 1MB
max_length: 1000
max_age: 90m
max_retries: 7
backoff: {initial_interval: 1s, max_interval: 5s, max_elapsed_time: 0s}
max_in_flight: 3
batching: {count: 10, period: 1s}
`)
	require.NoError(t, err)
	assert.Empty(t, s.topic)
	assert.Equal(t, 12, s.partitions)
	assert.NotNil(t, s.key)
	assert.Equal(t, "payload", s.bodyKey)
	assert.False(t, s.idempotent)
	assert.EqualValues(t, 1_000_000, s.maxMessageBytes)
	assert.EqualValues(t, 1000, s.maxLength)
	assert.Equal(t, 90*time.Minute, s.maxAge)
	assert.Equal(t, retryPolicy{initial: time.Second, longest: 5 * time.Second, maxRetries: 7}, s.retry)
	assert.Equal(t, 3, s.maxInFlight)
	assert.Equal(t, 10, s.batching.Count)
}
