package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

func TestLagIsTheSameEverywhere(t *testing.T) {
	do := func(args ...any) func(t *testing.T, c *redis.Client) {
		return func(t *testing.T, c *redis.Client) {
			t.Helper()
			require.NoError(t, c.Do(t.Context(), args...).Err())
		}
	}
	trim := func(length string) func(*testing.T, *redis.Client) { return do("xtrim", "orders", "maxlen", length) }
	del := func(ids ...any) func(*testing.T, *redis.Client) {
		return do(append([]any{"xdel", "orders"}, ids...)...)
	}
	seek := func(to string) func(t *testing.T, c *redis.Client) {
		return func(t *testing.T, _ *redis.Client) {
			t.Helper()
			o := rafka(t, "group", "seek", "billing", "--topic", "orders", "--to", to)
			require.Zero(t, o.code, o.stderr)
		}
	}
	for name, c := range map[string]struct {
		before      func(t *testing.T, c *redis.Client)
		entries     int
		fields      string
		acknowledge int
		then        func(t *testing.T, c *redis.Client)
		want        string
		inRedis     string // if it differs
	}{
		"nothing read":                     {entries: 100, want: "100"},
		"half read":                        {entries: 100, acknowledge: 40, want: "60"},
		"all read":                         {entries: 100, acknowledge: 100, want: "0"},
		"everything trimmed":               {entries: 5, then: trim("0"), want: "0"},
		"trimmed beyond the position":      {entries: 100, acknowledge: 40, then: trim("30"), want: "30"},
		"trimmed up to the position":       {entries: 100, acknowledge: 40, then: trim("60"), want: "60"},
		"trimmed before the position":      {entries: 100, acknowledge: 40, then: trim("80"), want: "60"},
		"trimmed before anything was read": {before: trim("30"), entries: 100, want: "30"},
		"deleted before the position":      {entries: 100, acknowledge: 40, then: del("10-0", "20-0"), want: "60"},
		"deleted after the position": {
			entries: 100, acknowledge: 40, then: del("50-0", "60-0"), want: "58", inRedis: "nil",
		},
		"the last one deleted": {entries: 41, acknowledge: 40, then: del("41-0"), want: "0", inRedis: "nil"},
		"all deleted":          {entries: 2, then: del("1-0", "2-0"), want: "0"},
		"begun in the middle":  {entries: 100, fields: "  start_offset: 71-0", want: "30"},
		"begun in the middle, and read on": {
			entries: 100, fields: "  start_offset: 71-0", acknowledge: 20, want: "10",
		},
		"begun in the middle after deleted": {
			before: del("10-0"), entries: 100, fields: "  start_offset: 71-0", want: "30",
		},
		"begun in the middle before deleted": {
			before: del("80-0"), entries: 100, fields: "  start_offset: 71-0", want: "29", inRedis: "nil",
		},
		"moved back":             {entries: 100, acknowledge: 80, then: seek("31-0"), want: "70"},
		"moved to the end":       {entries: 100, acknowledge: 20, then: seek("latest"), want: "0"},
		"moved to the beginning": {entries: 100, acknowledge: 20, then: seek("earliest"), want: "100"},
		"recreated": {entries: 100, acknowledge: 40, then: func(t *testing.T, c *redis.Client) {
			require.NoError(t, c.Del(t.Context(), "orders").Err())
			write(t, c, 200, 206)
		}, want: "7"},
		"more written": {entries: 100, acknowledge: 40, then: func(t *testing.T, c *redis.Client) {
			write(t, c, 101, 150)
		}, want: "110"},
		"a group that rafka did not make": {
			before: do("xgroup", "create", "orders", "billing", "0"), entries: 100, acknowledge: 40, want: "60",
			inRedis: "100",
		},
	} {
		t.Run(name, func(t *testing.T) {
			server, client := startRedis(t)
			write(t, client, 1, c.entries)
			if c.before != nil {
				c.before(t, client)
			}
			fields, inRedis := c.fields, c.inRedis
			if inRedis == "" {
				inRedis = c.want
			}
			l := startLagging(t, client, server.URL(), c.acknowledge, fields)
			if c.then != nil {
				require.Eventually(
					t,
					func() bool { return l.value() == fmt.Sprint(c.entries-c.acknowledge) },
					time.Minute,
					10*time.Millisecond,
				)
				c.then(t, client)
			}
			l.awaits(name, c.want, inRedis)
		})
	}
}

// While no member runs, no member counts entries: the bound is shown, and Redis shows the same.
func TestLagOfAGroupThatDoesNotRunIsABound(t *testing.T) {
	_, client := startRedis(t)
	write(t, client, 1, 100)
	joinGroup(
		t,
		client,
		"orders",
		"billing",
		"rafka/host/1",
		splits.Position{Offset: splits.Offset{Millis: 40}, EntriesRead: 40},
	)
	lag, exact := described(t)
	assert.Equal(t, "60", lag)
	assert.True(t, exact)
	require.Zero(t, rafka(t, "group", "seek", "billing", "--topic", "orders", "--to", "71-0").code)
	lag, exact = described(t)
	assert.Equal(t, "99", lag)
	assert.False(t, exact)
	assert.Equal(t, "99", shown(t, client))
	assert.Contains(t, rafka(t, "group", "describe", "billing", "--topic", "orders").stdout, "Lag:       <=99\n")

	require.NoError(t, client.Del(t.Context(), "rafka:{orders}:lease:billing").Err())
	lag, exact = described(t)
	assert.Equal(t, "100", lag, "without a position the group may read everything")
	assert.False(t, exact)
}

// With 20,000 entries, the lag is exact within seconds after a seek into the middle.
func TestLagIsExactSoonAfterASeek(t *testing.T) {
	server, client := startRedis(t)
	const all, rest = 20_000, 8_000
	for from := 1; from <= all; from += 10_000 {
		write(t, client, from, from+9_999)
	}
	l := startLagging(t, client, server.URL(), 0, "")
	l.awaits("before", fmt.Sprint(all), fmt.Sprint(all))
	require.Zero(
		t,
		rafka(t, "group", "seek", "billing", "--topic", "orders", "--to", fmt.Sprintf("%d-0", all-rest+1)).code,
	)
	lag, exact := described(t)
	assert.Equal(t, fmt.Sprint(all-1), lag)
	assert.False(t, exact)
	began := time.Now()
	l.awaits("after", fmt.Sprint(rest), fmt.Sprint(rest))
	t.Logf("the lag was exact after %s", time.Since(began))
	_, exact = described(t)
	assert.True(t, exact)
	l.stop()
	lag, exact = described(t)
	assert.Equal(t, fmt.Sprint(rest), lag, "it is stored")
	assert.True(t, exact)
}
