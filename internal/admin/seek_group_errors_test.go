package admin

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/splits"
)

func TestSeekRejectsInvalidRequests(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		s.fill(t)
		sharers := broker.NewShareGroup(s.Client, "orders", "sharers")
		_, err := sharers.Beat(t.Context(), splits.ShareBeat{Member: "m1", TTL: time.Minute})
		require.NoError(t, err)
		require.NoError(t, s.Client.Set(t.Context(), keys.Lease("orders:1", "billing"), "x", 0).Err())
		require.NoError(t, s.Client.Set(t.Context(), "orders:2", "x", 0).Err())
		broken := keys.Share(testSplit.Key, "sharers")
		require.NoError(t, s.Client.Set(t.Context(), broken, "x", 0).Err())
		tomorrow := time.Now().Add(24 * time.Hour).Format(time.RFC3339)
		seek := func(change func(*Seek)) Seek {
			s := Seek{Topic: "orders", Group: "billing", To: "earliest", Partitions: []int{3}}
			change(&s)
			return s
		}
		for name, c := range map[string]struct {
			seek Seek
			says []string
		}{
			"topic":      {seek(func(s *Seek) { s.Topic = "nowhere" }), []string{`there is no topic "nowhere"`}},
			"topic name": {seek(func(s *Seek) { s.Topic = "" }), []string{"stream_name is empty"}},
			"group name": {seek(func(s *Seek) { s.Group = "" }), []string{"consumer_group is empty"}},
			"share key":  {seek(func(s *Seek) { s.Group = "sharers" }), []string{"orders-3", "WRONGTYPE", broken}},
			"to": {
				seek(func(s *Seek) { s.To = "yesterday" }),
				[]string{"to:", "use earliest, latest, a time"},
			},
			"future": {seek(func(s *Seek) { s.To = tomorrow }), []string{"to:", "future", "use latest"}},
			"future ID": {
				seek(func(s *Seek) { s.To = "99999999999999-0" }),
				[]string{"to:", "future", "use latest"},
			},
			"partition": {
				seek(func(s *Seek) { s.Partitions = []int{4} }),
				[]string{"partition is 4", "from 0 to 3"},
			},
			"below": {
				seek(func(s *Seek) { s.Partitions = []int{-1} }),
				[]string{"partition is -1", "from 0 to 3"},
			},
			"lease type": {
				seek(func(s *Seek) { s.Partitions = []int{1} }),
				[]string{"orders-1", "WRONGTYPE", keys.Lease("orders:1", "billing")},
			},
			"stream type": {
				seek(func(s *Seek) { s.Partitions = []int{2} }),
				[]string{"orders-2", "WRONGTYPE", "orders:2"},
			},
			"some of many": {
				seek(func(s *Seek) { s.Partitions = nil }),
				[]string{"orders-1", "2 of the 4 partitions failed", "repeat the command"},
			},
		} {
			_, err := New(s.Client).SeekGroup(t.Context(), c.seek)
			require.Error(t, err, name)
			for _, text := range c.says {
				assert.ErrorContains(t, err, text, name)
			}
		}
		assert.Equal(t, "0-0", s.Field(t, testLease, "offset"), "the undamaged partitions are moved")
	})
}
