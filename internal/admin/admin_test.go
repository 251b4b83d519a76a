package admin

import (
	"encoding/json"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/redistest"
	"github.com/rafka-streams/rafka/splits"
)

func TestListTopicsFindsPartitionedOnesOnly(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		a := New(s.Client)
		topics, err := a.ListTopics(t.Context())
		require.NoError(t, err)
		assert.Empty(t, topics)
		for _, name := range []string{"orders", "{eu}:b*[x]", "{a}", "a"} {
			_, _, err := broker.NewTopics(s.Client).Create(t.Context(), name, 2)
			require.NoError(t, err)
		}
		s.Add(t, "plain", "*")
		s.Set(t, "rafka:{not:ours}x{y}:topic", "partitions", 1)
		beat(t, broker.NewGroup(s.Client, "orders", "topic"), "m1")
		topics, err = a.ListTopics(t.Context())
		require.NoError(t, err)
		var names []string
		for _, topic := range topics {
			names = append(names, topic.Name)
			assert.Equal(t, 2, topic.Partitions)
			assert.Positive(t, topic.CreatedMS)
		}
		assert.Equal(t, []string{"a", "orders", "{a}", "{eu}:b*[x]"}, names)
	})
}

func TestListGroupsOfOneTopicOrAll(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		a := New(s.Client)
		for _, g := range [][2]string{{"orders", "b"}, {"orders", "a:{x}"}, {"{eu}:[o]*", "topic"}, {"orders2", "b"}} {
			beat(t, broker.NewGroup(s.Client, g[0], g[1]), "m1")
			beat(t, broker.NewGroup(s.Client, g[0], g[1]), "m2")
		}
		dead := redis.Z{Score: float64(s.Now(t) - 1), Member: "m2"}
		require.NoError(t, s.Client.ZAdd(t.Context(), keys.Members("orders", "b"), dead).Err())
		of := func(topic string) []GroupSummary {
			groups, err := a.ListGroups(t.Context(), topic)
			require.NoError(t, err)
			return groups
		}
		orders := []GroupSummary{
			{Topic: "orders", Group: "a:{x}", Type: "consumer", Members: 2},
			{Topic: "orders", Group: "b", Type: "consumer", Members: 1},
		}
		assert.Equal(t, orders, of("orders"))
		assert.Equal(t, append(orders, GroupSummary{Topic: "orders2", Group: "b", Type: "consumer", Members: 2},
			GroupSummary{Topic: "{eu}:[o]*", Group: "topic", Type: "consumer", Members: 2}), of(""))
		assert.Len(t, of("{eu}:[o]*"), 1, "the name is no pattern")
		assert.Empty(t, of("nothing"))
	})
}

func TestDescribeTopicTellsWhatItsPartitionsHold(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		_, _, err := broker.NewTopics(s.Client).Create(t.Context(), "orders", 2)
		require.NoError(t, err)
		for _, id := range []string{"1-0", "2-0", "3-7"} {
			s.Add(t, "orders:1", id)
		}
		require.NoError(t, s.Client.XTrimMaxLen(t.Context(), "orders:1", 2).Err())
		d, err := New(s.Client).DescribeTopic(t.Context(), "orders")
		require.NoError(t, err)
		added := int64(3)
		if s.Embedded {
			added = -1
		}
		assert.Equal(t, 2, d.Topic.Partitions)
		assert.Equal(t, []PartitionDescription{
			{Partition: 0, Key: "orders:0"},
			{
				Partition: 1, Key: "orders:1", Exists: true, Length: 2, Added: added,
				First: splits.Offset{Millis: 2}, Last: splits.Offset{Millis: 3, Seq: 7},
			},
		}, d.Partitions)
		text, err := json.Marshal(d)
		require.NoError(t, err)
		assert.JSONEq(t, `{"stream_name":"orders","created_ms":`+strconv.FormatInt(d.CreatedMS, 10)+`,"partitions":[
			{"partition_id":0,"key":"orders:0","exists":false,"length":0,"added":0,"first":"0-0","last":"0-0"},
			{"partition_id":1,"key":"orders:1","exists":true,"length":2,"added":`+strconv.FormatInt(added, 10)+`,
			 "first":"2-0","last":"3-7"}]}`,
			string(text))
	})
}

func TestDescribePlainTopicOrNone(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		_, err := New(s.Client).DescribeTopic(t.Context(), "orders")
		var missing *TopicNotFoundError
		require.ErrorAs(t, err, &missing)
		assert.Equal(t, "orders", missing.Topic)
		s.Add(t, "orders", "1-0")
		d, err := New(s.Client).DescribeTopic(t.Context(), "orders")
		require.NoError(t, err)
		require.Len(t, d.Partitions, 1)
		assert.True(t, d.Plain())
		assert.Equal(t, "orders", d.Partitions[0].Key)
		require.NoError(t, s.Client.Set(t.Context(), "text", "x", 0).Err())
		_, err = New(s.Client).DescribeTopic(t.Context(), "text")
		assert.Equal(t, rediserr.ClassWrongType, rediserr.Classify(err))
	})
}

func TestDescribeGroupTellsOwnersPositionsAndLag(t *testing.T) {
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
		counted := !s.Embedded // which does not count
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

func TestDescribeGroupOfALostTopicKeepsItsPartitions(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		s.partitioned(t, 3)
		beat(t, s.group(), "m1")
		require.NoError(t, s.Client.Del(t.Context(), keys.Metadata("orders")).Err())
		d, err := New(s.Client).DescribeGroup(t.Context(), "orders", "billing")
		require.NoError(t, err)
		assert.Len(t, d.Partitions, 3)
	})
}

func TestDescribeGroupSaysWhatIsWrong(t *testing.T) {
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

func TestLagIsABoundUntilItIsKnown(t *testing.T) {
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

func TestClusterServesEveryScriptAndTheAdmin(t *testing.T) {
	server := redistest.Start(t, "--cluster-enabled", "yes")
	require.NoError(t, server.Client(t).ClusterAddSlotsRange(t.Context(), 0, 16383).Err())
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{server.Addr()}})
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	require.Eventually(
		t,
		func() bool { return client.Set(t.Context(), "x", "x", 0).Err() == nil },
		time.Minute,
		20*time.Millisecond,
	)

	for _, name := range []string{"orders", "{eu}:orders", "{orders}"} {
		topic, _, err := broker.NewTopics(client).Create(t.Context(), name, 50)
		require.NoError(t, err)
		g := broker.NewGroup(client, name, "billing")
		view := beat(t, g, "m1")
		stored, err := g.Propose(
			t.Context(),
			splits.Plan{Version: view.Version, Assignments: map[string][]int{"m1": {0, 1}}},
		)
		require.NoError(t, err)
		require.True(t, stored)
		l := broker.NewLeases(client, broker.LeasesOptions{Topic: name, Group: "billing"})
		var claims []splits.Claim
		for _, split := range topic.Splits() {
			require.NoError(
				t,
				client.XAdd(
					t.Context(),
					&redis.XAddArgs{Stream: split.Key, ID: "1-0", Values: []string{"a", "b"}},
				).Err(),
			)
			claims = append(claims, splits.Claim{Split: split})
		}
		var commits []splits.Commit
		var leases []splits.Lease
		for i, granted := range l.Claim(t.Context(), "m1", testTTL, claims) {
			require.NoError(t, granted.Err)
			leases = append(leases, splits.Lease{Split: claims[i].Split, Member: "m1", Epoch: granted.Epoch})
			commits = append(commits, splits.Commit{Lease: leases[i], Position: position(1, 0, 1), Accounted: 1})
		}
		for _, errs := range [][]error{
			l.Commit(t.Context(), testTTL, commits),
			{l.Reset(t.Context(), testTTL, commits[0])},
			l.Release(t.Context(), leases),
		} {
			for _, err := range errs {
				require.NoError(t, err)
			}
		}
		d, err := New(client).DescribeGroup(t.Context(), name, "billing")
		require.NoError(t, err)
		require.Len(t, d.Partitions, 50)
		for _, p := range d.Partitions {
			assert.Zero(t, p.Lag)
		}
		listed, err := New(client).ListGroups(t.Context(), name)
		require.NoError(t, err)
		assert.Len(t, listed, 1)
		require.NoError(t, g.Leave(t.Context(), "m1"))
	}
	topics, err := New(client).ListTopics(t.Context())
	require.NoError(t, err)
	assert.Len(t, topics, 3)
}
