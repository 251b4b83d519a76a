package admin

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/splits"
)

func TestDescribeGroupReportsOwnersPositionsAndLag(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		s.partitioned(t, 5)
		topic := broker.Topic{Name: "orders", Partitions: 5}
		for i := range 4 {
			for _, ms := range []string{"1000", "2000", "3000"} {
				s.Add(t, topic.Split(i).Key, ms+"-0")
			}
		}
		g, l := s.group(), s.leases()
		view := beat(t, g, "m2")
		beat(t, g, "m1")
		var claims []splits.Claim
		for i := range 4 {
			claims = append(claims, splits.Claim{Split: topic.Split(i)})
		}
		var leases []splits.Lease
		for i, granted := range l.Claim(t.Context(), "m1", testTTL, claims) {
			require.NoError(t, granted.Err)
			leases = append(leases, splits.Lease{Split: topic.Split(i), Member: "m1", Epoch: granted.Epoch})
		}
		for i, p := range map[int]splits.Position{
			1: position(1000, 0, 1), 2: position(3000, 0, 3), 3: position(2000, 0, -1),
		} {
			commit := splits.Commit{Lease: leases[i], Position: p, Accounted: p.EntriesRead}
			require.NoError(t, l.Commit(t.Context(), testTTL, []splits.Commit{commit})[0])
		}
		require.NoError(t, l.Release(t.Context(), leases[2:3])[0])

		d, err := New(s.Client).DescribeGroup(t.Context(), "orders", "billing")
		require.NoError(t, err)
		assert.Equal(t, "consumer", d.Type)
		assert.Equal(t, []string{"m1", "m2"}, d.Members)
		assert.GreaterOrEqual(t, d.Version, view.Version)
		require.Len(t, d.Partitions, 5)
		counted := !s.Embedded // the embedded server does not count entries
		for i, want := range []struct {
			owner     string
			committed string
			lag       int64
			exact     bool
			first     int64 // offset of the first entry that is not committed
		}{
			{"m1", "0-0", 3, true, 1000},
			{"m1", "1000-0", 2, counted, 2000},
			{"", "3000-0", 0, true, 0},
			{"m1", "2000-0", 2, false, 3000},
		} {
			p := d.Partitions[i]
			assert.Equal(t, topic.Split(i), p.Split)
			assert.Equal(t, want.owner, p.Owner, i)
			assert.Equal(t, leases[i].Epoch, p.Epoch)
			assert.Equal(t, want.committed, p.Committed.String())
			assert.Equal(t, want.lag, p.Lag, i)
			assert.Equal(t, want.exact, p.LagExact, i)
			assert.Equal(t, want.owner != "", p.Expires > 0)
			if want.first == 0 {
				assert.Zero(t, p.Age)
			} else {
				assert.InDelta(t, time.Duration(s.Now(t)-want.first)*time.Millisecond, p.Age, float64(5*time.Second))
			}
		}
		assert.Equal(
			t,
			GroupPartition{Split: topic.Split(4), LagExact: true, read: -1, accounted: -1},
			d.Partitions[4],
			"never claimed",
		)
	})
}

func TestGroupDescriptionIsReadableJSON(t *testing.T) {
	committed := splits.Offset{Millis: 5, Seq: 6}
	text, err := json.Marshal(GroupDescription{
		Topic: "orders", Group: "billing", Type: broker.ConsumerGroup, Members: []string{"m1"}, Version: 7,
		Partitions: []GroupPartition{
			{
				Split: broker.PartitionSplit(
					"orders",
					0,
				),
				Owner:     "m1",
				Epoch:     9,
				Expires:   1500 * time.Millisecond,
				Committed: &committed,
				Lag:       3,
				LagExact:  true,
				Age:       time.Second,
			},
			{Split: broker.PartitionSplit("orders", 1), Lag: 7},
		},
	})
	require.NoError(t, err)
	assert.JSONEq(
		t,
		`{"stream_name":"orders","consumer_group":"billing","group_type":"consumer","members":["m1"],"version":7,
		"partitions":[
		{"split":{"stream_name":"orders","partition_id":0,"id":"orders-0","key":"orders:0"},"owner":"m1",
		 "epoch":9,"expires_ms":1500,"committed":"5-6","lag":3,"lag_exact":true,"age_ms":1000},
		{"split":{"stream_name":"orders","partition_id":1,"id":"orders-1","key":"orders:1"},"epoch":0,"expires_ms":0,
		 "committed":null,"lag":7,"lag_exact":false,"age_ms":0}]}`,
		string(text),
	)
}

func TestDescribeGroupWorksWithoutMetadataOfTheTopic(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		s.partitioned(t, 3)
		beat(t, s.group(), "m1")
		require.NoError(t, s.Client.Del(t.Context(), keys.Metadata("orders")).Err())
		d, err := New(s.Client).DescribeGroup(t.Context(), "orders", "billing")
		require.NoError(t, err)
		assert.Len(t, d.Partitions, 3)
	})
}

func TestDescribeGroupReportsMissingAndDamagedGroups(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		a := New(s.Client)
		_, err := a.DescribeGroup(t.Context(), "orders", "billing")
		require.ErrorAs(t, err, new(*GroupNotFoundError))
		_, err = a.DescribeGroup(t.Context(), "orders", "")
		require.ErrorContains(t, err, "consumer_group")
		beat(t, s.group(), "m1")
		lease := keys.Lease("orders", "billing")
		s.Set(t, lease, "offset", "x")
		_, err = a.DescribeGroup(t.Context(), "orders", "billing")
		require.ErrorContains(t, err, lease)
		require.NoError(t, s.Client.Set(t.Context(), lease, "x", 0).Err())
		_, err = a.DescribeGroup(t.Context(), "orders", "billing")
		assert.Equal(t, rediserr.ClassWrongType, rediserr.Classify(err))
	})
}

func TestLagIsAnUpperBoundUntilItIsExact(t *testing.T) {
	at := func(ms uint64) *splits.Offset { return &splits.Offset{Millis: ms} }
	state := splits.State{Exists: true, Length: 4, First: *at(4), Last: *at(10), EntriesAdded: 9}
	uncounted := state
	uncounted.EntriesAdded = -1
	for name, test := range map[string]struct {
		committed *splits.Offset
		read      int64
		state     splits.State
		want      int64
		exact     bool
	}{
		"none committed":       {nil, -1, state, 4, false},
		"nothing there":        {nil, -1, splits.State{}, 0, true},
		"known":                {at(5), 6, state, 3, true},
		"at the end":           {at(10), -1, state, 0, true},
		"beyond the end":       {at(11), 20, state, 4, false},
		"from the beginning":   {at(0), 5, state, 4, true},
		"after a seek":         {at(5), -1, state, 3, false},
		"server does not tell": {at(5), 6, uncounted, 3, false},
		"stream was recreated": {at(5), 20, state, 3, false},
		"before the first":     {at(3), -1, state, 4, true},
		"stream is gone":       {at(5), 6, splits.State{}, 0, true},
	} {
		p := GroupPartition{Committed: test.committed, read: test.read, accounted: splits.CountUnknown}
		p.setLag(test.state)
		assert.Equal(t, test.want, p.Lag, name)
		assert.Equal(t, test.exact, p.LagExact, name)
	}
}
