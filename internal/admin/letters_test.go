package admin

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/redistest"
)

// letter is the n-th letter of a group.
func letter(n int, group string, fields ...string) broker.Letter {
	return broker.Letter{
		Fields: append([]string{"body", fmt.Sprint(n)}, fields...),
		Origin: broker.Origin{
			Topic: "orders", Partition: n % 2, Offset: fmt.Sprintf("%d-0", 1000+n), Group: group, Deliveries: 5,
			Error: fmt.Sprintf("HTTP %d (rejected)", 400+n%3), Time: time.UnixMilli(1700000000000),
		},
	}
}

// lettered writes letters to topic orders-dead.
func lettered(t *testing.T, client redis.UniversalClient, letters ...broker.Letter) {
	t.Helper()
	writer := broker.NewLetters(client, "orders-dead")
	for _, l := range letters {
		require.NoError(t, writer.Write(t.Context(), l))
	}
}

// all selects all letters of orders-dead.
var all = LetterQuery{Topic: "orders-dead", Partition: -1, OriginPartition: -1}

// selected returns the letters that a query selects.
func selected(t *testing.T, client redis.UniversalClient, q LetterQuery) (letters []DeadLetter) {
	t.Helper()
	scan, err := New(client).Letters(t.Context(), q)
	require.NoError(t, err)
	for {
		page, done, err := scan.Next(t.Context())
		require.NoError(t, err)
		if done {
			return letters
		}
		letters = append(letters, page...)
	}
}

func bodiesOf(letters []DeadLetter) (all []string) {
	for _, l := range letters {
		all = append(all, l.Fields[1])
	}
	slices.Sort(all)
	return all
}

func TestLettersAreSelected(t *testing.T) {
	s := onRedis(t)
	var letters []broker.Letter
	for i := range 6 {
		letters = append(letters, letter(i, "billing"))
	}
	lettered(t, s.Client, append(letters, letter(6, "shipping"))...)
	s.Add(t, "orders-dead", "*") // no letter
	yes, no := true, false
	for name, c := range map[string]struct {
		change func(q *LetterQuery)
		want   string
	}{
		"all":              {func(*LetterQuery) {}, "0123456"},
		"group":            {func(q *LetterQuery) { q.Group = "shipping" }, "6"},
		"origin topic":     {func(q *LetterQuery) { q.OriginTopic = "returns" }, ""},
		"origin partition": {func(q *LetterQuery) { q.OriginPartition = 1 }, "135"},
		"origin offset":    {func(q *LetterQuery) { q.OriginOffset = "1004" }, "4"},
		"text":             {func(q *LetterQuery) { q.Error = "401 (rej" }, "14"},
		"regex":            {func(q *LetterQuery) { q.ErrorRegex = `HTTP 40[12] \(` }, "1245"},
		"group and text":   {func(q *LetterQuery) { q.Group, q.Error = "billing", "400" }, "03"},
		"since":            {func(q *LetterQuery) { q.Since = "1h" }, "0123456"},
		"until":            {func(q *LetterQuery) { q.Until = "1h" }, ""},
		"until a time":     {func(q *LetterQuery) { q.Until = "2999-01-01T00:00:00Z" }, "0123456"},
		"replayed":         {func(q *LetterQuery) { q.Replayed = &yes }, ""},
		"not replayed":     {func(q *LetterQuery) { q.Replayed = &no }, "0123456"},
	} {
		q := all
		c.change(&q)
		assert.Equal(t, c.want, strings.Join(bodiesOf(selected(t, s.Client, q)), ""), name)
	}
	q := all
	q.Offset = selected(t, s.Client, all)[2].Entry.Offset.String()
	assert.Equal(t, []string{"2"}, bodiesOf(selected(t, s.Client, q)))
	for want, q := range map[string]LetterQuery{
		"error-regex: ":             {Topic: "orders-dead", Partition: -1, ErrorRegex: "("},
		"since: \"x\" is not":       {Topic: "orders-dead", Partition: -1, Since: "x"},
		"until: \"x\" is not":       {Topic: "orders-dead", Partition: -1, Until: "x"},
		"offset: ":                  {Topic: "orders-dead", Partition: -1, Offset: "x"},
		"partition is 1":            {Topic: "orders-dead", Partition: 1},
		`there is no topic "other"`: {Topic: "other", Partition: -1},
	} {
		_, err := New(s.Client).Letters(t.Context(), q)
		require.ErrorContains(t, err, want)
	}
}

func TestLargeLettersAreReadInSmallPages(t *testing.T) {
	s := onRedis(t)
	_, _, err := broker.NewTopics(s.Client).Create(t.Context(), "orders-dead", 3)
	require.NoError(t, err)
	var want []string
	for i := range 40 {
		lettered(t, s.Client, letter(i, "billing", "large", strings.Repeat("x", 300_000)))
		want = append(want, fmt.Sprint(i))
	}
	slices.Sort(want)
	scan, err := New(s.Client).Letters(t.Context(), all)
	require.NoError(t, err)
	var got []DeadLetter
	for done, n := false, 0; !done; n++ {
		var page []DeadLetter
		page, done, err = scan.Next(t.Context())
		require.NoError(t, err)
		if n > 2 {
			assert.LessOrEqual(t, len(page), 8)
		}
		got = append(got, page...)
	}
	assert.Equal(t, want, bodiesOf(got))
	assert.EqualValues(t, 40, scan.Total)
	assert.EqualValues(t, 40, scan.Seen)
}

// replayAll replays all letters that were not replayed.
func replayAll(t *testing.T, client redis.UniversalClient, change ...func(*LetterReplay)) *LetterReplay {
	t.Helper()
	a := New(client)
	no, q := false, all
	q.Replayed = &no
	scan, err := a.Letters(t.Context(), q)
	require.NoError(t, err)
	r := a.NewLetterReplay()
	for _, c := range change {
		c(r)
	}
	for {
		page, done, err := scan.Next(t.Context())
		require.NoError(t, err)
		if done {
			return r
		}
		require.NoError(t, r.Replay(t.Context(), page))
	}
}

func TestReplayWritesEachLetterOnceByItsKey(t *testing.T) {
	cluster := redistest.StartCluster(t, 3, 0)
	client := cluster.Client(t)
	ctx := t.Context()
	for name, n := range map[string]int{"orders": 5, "orders-dead": 3} {
		_, _, err := broker.NewTopics(client).Create(ctx, name, n)
		require.NoError(t, err)
	}
	for i := range 30 {
		lettered(t, client, letter(i, "billing", "rafka_key", fmt.Sprint("k", i%4), "rafka_replay_group", "earlier"))
	}
	dry := replayAll(t, client, func(r *LetterReplay) { r.DryRun = true })
	assert.Equal(t, 30, dry.Replayed)
	assert.Empty(t, entriesOf(t, client, "orders", 5))

	r := replayAll(t, client)
	assert.Equal(t, []int{30, 0, 0}, []int{r.Replayed, r.Known, r.Failed})
	require.NoError(t, r.Err)
	written := entriesOf(t, client, "orders", 5)
	require.Len(t, written, 30)
	var partitioner broker.KeyPartitioner
	for at, e := range written {
		assert.Equal(t, "billing", e["rafka_replay_group"])
		assert.Len(t, e, 3, "no field of the origin")
		assert.True(
			t,
			strings.HasPrefix(at, fmt.Sprintf("orders:%d/", partitioner.Choose(e["rafka_key"].(string), 5))),
			at,
		)
	}
	assert.Zero(t, replayAll(t, client).Replayed, "they are marked")
	for i := range 3 { // as if the marks could not be stored
		require.NoError(t, client.Del(ctx, keys.Replayed(keys.Partition("orders-dead", i))).Err())
	}
	again := replayAll(t, client)
	assert.Equal(t, []int{30, 30, 0}, []int{again.Replayed, again.Known, again.Failed})
	assert.Len(t, entriesOf(t, client, "orders", 5), 30)
	yes, q := true, all
	q.Replayed = &yes
	for _, l := range selected(t, client, q) {
		assert.WithinDuration(t, time.Now(), l.ReplayedAt, time.Minute)
	}
	page := selected(t, client, q)
	assert.Len(t, page, 30)
	deleted := 0
	for i := range 3 { // a page is of one partition
		one := slices.DeleteFunc(slices.Clone(page), func(l DeadLetter) bool { return l.Split.Partition != i })
		n, err := New(client).PurgeLetters(ctx, one)
		require.NoError(t, err)
		deleted += n
	}
	assert.Equal(t, 30, deleted)
	assert.Empty(t, selected(t, client, all))
}

// entriesOf returns the entries of a topic, by "stream/ID".
func entriesOf(t *testing.T, client redis.UniversalClient, topic string, partitions int) map[string]map[string]any {
	t.Helper()
	found := map[string]map[string]any{}
	for i := range partitions {
		for _, e := range client.XRange(t.Context(), keys.Partition(topic, i), "-", "+").Val() {
			found[keys.Partition(topic, i)+"/"+e.ID] = e.Values
		}
	}
	return found
}

func TestReplayForAllGroups(t *testing.T) {
	s := onRedis(t)
	s.Add(t, "orders", "1-0")
	lettered(t, s.Client, letter(1, "billing"))
	replayAll(t, s.Client, func(r *LetterReplay) { r.AllGroups = true })
	entries := s.Client.XRange(t.Context(), "orders", "(1-0", "+").Val()
	require.Len(t, entries, 1)
	assert.Equal(t, map[string]any{"body": "1"}, entries[0].Values)
}

func TestReplayReportsLettersThatItCannotWrite(t *testing.T) {
	s := onRedis(t)
	s.Add(t, "orders", "1-0")
	gone := letter(1, "billing")
	gone.Origin.Topic = "gone"
	bad := letter(3, "billing")
	bad.Origin.Topic = "bad"
	require.NoError(t, s.Client.Set(t.Context(), "bad", "x", 0).Err())
	lettered(t, s.Client, letter(0, "billing"), gone, letter(2, "billing"), bad)
	r := replayAll(t, s.Client)
	assert.Equal(t, []int{2, 2}, []int{r.Replayed, r.Failed})
	require.ErrorContains(t, r.Err, `there is no topic "gone"`)
	assert.Zero(t, s.Client.Exists(t.Context(), "gone").Val(), "a replay creates no topic")
	no, q := false, all
	q.Replayed = &no
	assert.Equal(t, []string{"1", "3"}, bodiesOf(selected(t, s.Client, q)), "they can be replayed later")
}

// A replayed letter whose message fails again becomes a new letter, which the same replay must not
// see, and a later one replays.
func TestLetterThatFailsAgainIsAnotherLetter(t *testing.T) {
	s := onRedis(t)
	s.Add(t, "orders", "1-0")
	lettered(t, s.Client, letter(1, "billing"))
	scan, err := New(s.Client).Letters(t.Context(), all)
	require.NoError(t, err)
	r := New(s.Client).NewLetterReplay()
	for done := false; !done; {
		var page []DeadLetter
		page, done, err = scan.Next(t.Context())
		require.NoError(t, err)
		require.NoError(t, r.Replay(t.Context(), page))
		if len(page) > 0 {
			again := page[0].Letter
			again.Fields = again.Replayed(false)
			again.Origin.Offset = "1001-7"
			lettered(t, s.Client, again)
		}
	}
	assert.Equal(t, 1, r.Replayed)
	assert.Equal(t, 1, replayAll(t, s.Client).Replayed)
	assert.EqualValues(t, 3, s.Client.XLen(t.Context(), "orders").Val())
}
