//go:build ledger

package ledger

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

// markScript returns the last delivered ID of a group and its lowest pending ID, empty if there is
// none. Both are of one moment. It returns nothing if there is no such group.
const markScript = `
local pending = redis.pcall('XPENDING', KEYS[1], ARGV[1])
if pending.err then return {} end
for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local fields = {}
  for i = 1, #group, 2 do fields[group[i]] = group[i + 1] end
  if fields['name'] == ARGV[1] then
    return {fields['last-delivered-id'], pending[1] > 0 and pending[2] or ''}
  end
end
return {}`

// readMarks returns for each partition up to which entry a share group has acknowledged everything,
// as a lease without an owner, and the errors of servers that do not answer.
func (s *scenario) readMarks(ctx context.Context, group string) (all []lease, err error) {
	err = s.runOnStreams(ctx, markScript, []any{group}, func(partition int, reply []string) error {
		if len(reply) == 0 {
			return nil // the group is not there yet
		}
		delivered, err := splits.ParseOffset(reply[0])
		if err != nil {
			return err
		}
		mark := lease{partition: partition, epoch: "none", offset: delivered}
		if reply[1] != "" {
			lowest, err := splits.ParseOffset(reply[1])
			if err != nil {
				return err
			}
			mark.offset = lowest.Prev()
		}
		all = append(all, mark)
		return nil
	})
	return all, err
}

// pendingScript returns the IDs that are pending at a member of a share group.
const pendingScript = `
local consumers, ids = redis.pcall('XINFO', 'CONSUMERS', KEYS[1], ARGV[1]), {}
if consumers.err then return {} end
for _, consumer in ipairs(consumers) do
  if string.find(consumer[2], ':rafka/' .. ARGV[2] .. '/', 1, true) then
    for _, item in ipairs(redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 10000, consumer[2])) do
      ids[#ids + 1] = item[1]
    end
  end
end
return ids`

// pendingAt returns the entries that are pending at a member of a share group, under any of its
// names.
func (s *scenario) pendingAt(ctx context.Context, group, name string) (found map[place]bool, err error) {
	found = map[place]bool{}
	err = s.runOnStreams(ctx, pendingScript, []any{group, name}, func(partition int, ids []string) error {
		for _, id := range ids {
			offset, err := splits.ParseOffset(id)
			if err != nil {
				return err
			}
			found[place{partition, offset}] = true
		}
		return nil
	})
	return found, err
}

// runOnStreams runs a script on each stream and passes on the replies. It returns the errors of all
// streams.
func (s *scenario) runOnStreams(
	ctx context.Context, script string, args []any, handle func(partition int, reply []string) error,
) (err error) {
	pipe := s.client.Pipeline()
	var replies []*redis.Cmd
	for _, key := range s.streamKeys() {
		replies = append(replies, pipe.Eval(ctx, script, []string{key}, args...))
	}
	_, _ = pipe.Exec(ctx) // each reply has its own error
	for i, reply := range replies {
		words, failed := reply.StringSlice()
		if failed == nil {
			failed = handle(i, words)
		}
		err = errors.Join(err, failed)
	}
	return err
}

// The scripts find what is pending at a member by its name only, and the mark below it.
func TestLedgerMarksOfAShareGroup(t *testing.T) {
	s, _ := newPlainScenario(t)
	ctx := t.Context()
	marks, err := s.readMarks(ctx, s.Group)
	require.NoError(t, err)
	require.Empty(t, marks, "there is no group yet")
	for i := range 4 {
		args := &redis.XAddArgs{Stream: s.Topic, ID: fmt.Sprintf("%d-0", i+1), Values: []string{"line", "1"}}
		require.NoError(t, s.client.XAdd(ctx, args).Err())
	}
	require.NoError(t, s.client.XGroupCreate(ctx, s.Topic, s.Group, "0").Err())
	read := func(name string, n int64) {
		require.NoError(t, s.client.XReadGroup(ctx, &redis.XReadGroupArgs{
			Group:    s.Group,
			Consumer: "rafka:0123456789abcdef:rafka/" + name + "/x",
			Streams:  []string{s.Topic, ">"},
			Count:    n,
		}).Err())
	}
	read("a", 2)
	read("aa", 1)
	requireMark := func(upTo string) {
		t.Helper()
		marks, err := s.readMarks(ctx, s.Group)
		require.NoError(t, err)
		require.Len(t, marks, 1)
		require.Equal(t, upTo, marks[0].offset.String())
	}
	require.NoError(t, s.client.XAck(ctx, s.Topic, s.Group, "1-0").Err())
	found, err := s.pendingAt(ctx, s.Group, "a")
	require.NoError(t, err)
	require.Equal(t, map[place]bool{{offset: splits.Offset{Millis: 2}}: true}, found)
	requireMark(splits.Offset{Millis: 2}.Prev().String())
	require.NoError(t, s.client.XAck(ctx, s.Topic, s.Group, "2-0", "3-0").Err())
	requireMark("3-0")
}
