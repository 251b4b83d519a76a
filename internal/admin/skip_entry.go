package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/script"
	"github.com/rafka-streams/rafka/splits"
)

// Skip are the arguments of SkipEntry.
type Skip struct {
	Topic, Group string
	// Partition is the partition of the entry; negative: the only one of the topic.
	Partition int
	// Offset is the ID of the entry. "" stands for the first entry that a consumer group has not
	// processed.
	Offset string
	// KeepUnused keeps the leases forever, see [broker.LeasesOptions].
	KeepUnused bool
	// DryRun changes nothing and only returns the result.
	DryRun bool
}

// SkipResult is the result of SkipEntry.
type SkipResult struct {
	Topic  string       `json:"stream_name"`
	Group  string       `json:"consumer_group"`
	Split  splits.Split `json:"split"`
	DryRun bool         `json:"dry_run"`
	// Owner is the member that held the lease, and must claim it again, or at which the entry of a
	// share group was pending; empty if there is none.
	Owner string `json:"owner,omitempty"`
	// Entry is the entry that is skipped.
	Entry Entry `json:"entry"`
}

// errChanged is the error of a skip whose group changed since it was read.
var errChanged = errors.New("the group has moved on meanwhile: repeat the command")

// maxSkipAttempts is how often a skip is tried while members commit.
const maxSkipAttempts = 5

// SkipEntry makes a group pass over exactly one entry, as if it had been processed. In a consumer
// group, the owner of the partition is fenced: it drops what it has in progress, claims the
// partition again, and goes on behind the entry. In a share group, the entry must be pending, and
// is acknowledged. The error is a *GroupNotFoundError if the group does not exist.
func (a *Admin) SkipEntry(ctx context.Context, s Skip) (SkipResult, error) {
	for _, err := range []error{keys.ValidateTopic(s.Topic, false), keys.ValidateGroup(s.Group)} {
		if err != nil {
			return SkipResult{}, err
		}
	}
	result, err := a.skipEntry(ctx, s)
	if err != nil {
		return SkipResult{}, fmt.Errorf("skipping an entry of %s in group %s: %w", s.Topic, s.Group, err)
	}
	return result, nil
}

func (a *Admin) skipEntry(ctx context.Context, s Skip) (result SkipResult, err error) {
	found, err := a.lookUp(ctx, s.Topic, s.Group)
	if err != nil {
		return result, err
	}
	if found.kind == "" {
		return result, &GroupNotFoundError{Topic: s.Topic, Group: s.Group}
	}
	split, err := onlySplit(found.topic, s.Partition)
	if err != nil {
		return result, err
	}
	result = SkipResult{Topic: s.Topic, Group: s.Group, Split: split, DryRun: s.DryRun}
	skip := a.skipUnread
	if found.kind == broker.ShareGroup {
		skip = a.skipPending
	}
	for range maxSkipAttempts {
		if err = skip(ctx, s, &result); !errors.Is(err, errChanged) {
			break
		}
	}
	return result, err
}

// unread is the position of a consumer group on one split, as its lease has it.
type unread struct {
	epoch, offset, done string
	owner, adopting     string
	at                  splits.Offset
	finished            []splits.Range
}

// skipUnread skips an entry of a consumer group.
func (a *Admin) skipUnread(ctx context.Context, s Skip, result *SkipResult) error {
	split := result.Split
	at, err := a.unreadOf(ctx, split, s.Group)
	if err != nil {
		return err
	}
	first, err := a.firstUnread(ctx, split, at)
	if err != nil {
		return err
	}
	entry := first
	if s.Offset != "" {
		if entry, err = a.unreadEntry(ctx, split, at, s.Offset); err != nil {
			return err
		}
	} else if first == nil {
		return errors.New(
			"there is no entry behind the committed offset " + at.offset + ": nothing waits to be processed",
		)
	}
	result.Owner, result.Entry = at.owner, *entry
	if s.DryRun {
		return nil
	}
	return a.passOver(ctx, s, result, at)
}

// unreadOf reads the lease of a split.
func (a *Admin) unreadOf(ctx context.Context, split splits.Split, group string) (at unread, err error) {
	key := keys.Lease(split.Key, group)
	lease := a.client.HMGet(ctx, key, "epoch", "offset", "done", "owner", "adopting")
	if lease.Err() != nil {
		return at, replyError(lease)
	}
	stored := script.Reply(lease.Val())
	at.epoch, at.offset, at.done, at.owner = stored.Word(0), stored.Word(1), stored.Word(2), stored.Word(3)
	at.adopting = stored.Word(4)
	if at.offset == "" {
		return at, fmt.Errorf("the group has no offset in partition %s yet: no member has read the partition", split)
	}
	if at.epoch == "" {
		at.epoch = "0"
	}
	if at.at, err = splits.ParseOffset(at.offset); err != nil {
		return at, broker.DamagedField(key, "offset", at.offset, "a stream ID")
	}
	at.finished, _ = broker.DecodeFinished(at.done) // members ignore damaged ranges, too
	return at, nil
}

// isFinished reports whether the entry with this offset was processed.
func (u unread) isFinished(o splits.Offset) bool {
	return !u.at.Before(o) || slices.ContainsFunc(u.finished, func(r splits.Range) bool {
		return !o.Before(r.First) && !r.Last.Before(o)
	})
}

// firstUnread returns the first entry that was not processed, nil if there is none.
func (a *Admin) firstUnread(ctx context.Context, split splits.Split, at unread) (*Entry, error) {
	behind := at.at
	for {
		entry, err := a.entry(ctx, split, "("+behind.String(), "+")
		if err != nil || entry == nil {
			return nil, err
		}
		o := entry.Offset
		if !at.isFinished(o) {
			return entry, nil
		}
		behind = o
		for _, r := range at.finished {
			if !o.Before(r.First) && o.Before(r.Last) {
				behind = r.Last
			}
		}
	}
}

// unreadEntry returns the entry with an offset, which the group must not have processed.
func (a *Admin) unreadEntry(ctx context.Context, split splits.Split, at unread, text string) (*Entry, error) {
	o, err := splits.ParseOffset(text)
	if err != nil {
		return nil, fmt.Errorf("offset: %w", err)
	}
	if at.isFinished(o) {
		return nil, a.finishedError(ctx, split, at, o)
	}
	return a.existing(ctx, split, o)
}

// finishedError returns why an entry is not skipped that is not after the position of the group.
func (a *Admin) finishedError(ctx context.Context, split splits.Split, at unread, o splits.Offset) error {
	if at.adopting != "" {
		id := o.String()
		pending, err := a.client.XPendingExt(ctx, &redis.XPendingExtArgs{
			Stream: split.Key, Group: at.adopting, Start: id, End: id, Count: 1,
		}).Result()
		if err == nil && len(pending) > 0 {
			stream, from := keys.Visible(split.Key), keys.Visible(at.adopting)
			return fmt.Errorf("the entry at offset %s is still pending in the Redis consumer group %s, which the "+
				"group continues: acknowledge it there with XACK %s %s %s, and restart the input that reads "+
				"partition %s", o, from, stream, from, o, split)
		}
	}
	return fmt.Errorf("the entry at offset %s has been processed: the committed offset is %s", o, at.offset)
}

// passOver stores that the entry was processed.
func (a *Admin) passOver(ctx context.Context, s Skip, result *SkipResult, at unread) error {
	split, o := result.Split, result.Entry.Offset
	next, err := a.entry(ctx, split, "("+at.offset, "+")
	if err != nil {
		return err
	}
	first := next != nil && next.Offset == o
	done, err := at.with(o, first)
	if err != nil {
		return err
	}
	names := []string{split.Key, keys.Lease(split.Key, s.Group), keys.Failing(split.Key, s.Group)}
	value, err := skipScript.Run(ctx, a.client, names,
		s.Group, at.epoch, at.offset, at.done, o.String(), flag(first), done,
		broker.ForgetAfter(s.KeepUnused), keys.GroupChannel(s.Topic, s.Group))
	reply, err := decodeSkip(skipScript, value, err)
	result.Owner = reply.Word(1)
	return err
}

func decodeSkip(by *script.Script, value any, err error) (script.Reply, error) {
	reply := script.ReplyOf(value)
	switch {
	case err != nil:
		return nil, rediserr.Explain(err)
	case reply.Word(0) == "OK":
		return reply, nil
	case reply.Word(0) == "CHANGED":
		return nil, errChanged
	}
	return nil, script.Unexpected(by, value)
}

// with returns the finished ranges of the lease with one more entry. first is true if the entry
// becomes the committed offset.
func (u unread) with(o splits.Offset, first bool) (string, error) {
	if first {
		behind := slices.DeleteFunc(slices.Clone(u.finished), func(r splits.Range) bool { return !o.Before(r.Last) })
		return broker.EncodeFinished(behind), nil
	}
	ranges := append(slices.Clone(u.finished), splits.Range{First: o, Last: o})
	slices.SortFunc(ranges, func(a, b splits.Range) int { return a.First.Compare(b.First) })
	done := broker.EncodeFinished(ranges)
	kept, err := broker.DecodeFinished(done)
	if err == nil && !(unread{at: u.at, finished: kept}).isFinished(o) {
		err = fmt.Errorf("the group has too many gaps before offset %s to store one more: skip the entries before it, "+
			"or wait until they are processed", o)
	}
	return done, err
}
