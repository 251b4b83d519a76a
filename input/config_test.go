package input

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

func TestDefaults(t *testing.T) {
	s, err := construct(t, minimal)
	require.NoError(t, err)
	assert.Equal(t, "orders", s.topic)
	assert.Equal(t, "billing", s.group)
	assert.NotEmpty(t, s.name, "the name of the host")
	assert.Equal(t, "body", s.bodyKey)
	assert.Equal(t, splits.Config{
		TTL:             10 * time.Second,
		Heartbeat:       3 * time.Second,
		CommitEvery:     time.Second,
		SampleEvery:     5 * time.Second,
		DrainFor:        30 * time.Second,
		FetchWithin:     5 * time.Second,
		Start:           splits.Earliest(),
		BatchSize:       500,
		SplitBuffer:     1_000_000,
		FetchMax:        50_000_000,
		CheckpointLimit: 1024,
		MaxAhead:        1_000_000,
	}, s.consumer)
}

func TestSettingsAreParsed(t *testing.T) {
	s, err := construct(t, minimal+`
consumer_name: worker
instance_id: worker-0
start_offset: 1767225600000-7
batch_size: 7
partition_buffer_bytes: 64KiB
fetch_max_bytes: 1MB
ordering: key
order_key: customer
checkpoint_limit: 99
max_ahead: 1234
commit_period: 250ms
session_timeout: 1m
heartbeat_interval: 15s
rebalance_timeout: 5s
metadata_refresh_period: 20s
lag_refresh_period: 2s
body_key: payload
auto_replay_nacks: false
on_data_loss: fail
`)
	require.NoError(t, err)
	assert.Equal(t, "worker", s.name)
	assert.Equal(t, "worker-0", s.instance)
	assert.Equal(t, "payload", s.bodyKey)
	assert.Equal(t, "customer", s.orderKey)
	assert.Equal(t, splits.Config{
		TTL:         time.Minute,
		Heartbeat:   15 * time.Second,
		CommitEvery: 250 * time.Millisecond,
		SampleEvery: 2 * time.Second,
		DrainFor:    5 * time.Second,
		FetchWithin: 5 * time.Second,
		Start: splits.StartAt(
			splits.Offset{Millis: 1767225600000, Seq: 7},
		),
		BatchSize:       7,
		SplitBuffer:     64 << 10,
		FetchMax:        1_000_000,
		CheckpointLimit: 99,
		MaxAhead:        1234,
		Ordering:        splits.ByKey,
		SkipNacked:      true,
		FailOnLoss:      true,
	}, s.consumer)
}

func TestHeartbeatFollowsSessionAndMetadataRefresh(t *testing.T) {
	for fields, want := range map[string]time.Duration{
		"session_timeout: 3s":          time.Second,
		"session_timeout: 1h":          3 * time.Second,
		"metadata_refresh_period: 1s":  time.Second,
		"heartbeat_interval: 500ms":    500 * time.Millisecond,
		"metadata_refresh_period: 1h":  3 * time.Second,
		"session_timeout: 1s\nkind: 1": 0,
	} {
		s, err := construct(t, minimal+fields)
		if want == 0 {
			require.Error(t, err)
			continue
		}
		require.NoError(t, err)
		assert.Equal(t, want, s.consumer.Heartbeat, fields)
	}
}

func TestUnorderedProcessingIsOrderingNone(t *testing.T) {
	for fields, want := range map[string]splits.Ordering{
		"unordered_processing: {enabled: true}":                  splits.Unordered,
		"unordered_processing: {enabled: true}\nordering: none":  splits.Unordered,
		"unordered_processing: {enabled: false}":                 splits.ByPartition,
		"unordered_processing: {enabled: false}\nordering: none": splits.Unordered,
		"unordered_processing: {}\nordering: key":                splits.ByKey,
	} {
		s, err := construct(t, minimal+fields)
		require.NoError(t, err, fields)
		assert.Equal(t, want, s.consumer.Ordering, fields)
	}
	_, err := construct(t, minimal+"ordering: key\nunordered_processing: {enabled: true}")
	require.ErrorContains(t, err, "unordered_processing: asks for no order, but ordering is key: remove one of them")
}
