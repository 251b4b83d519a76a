package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rafka-streams/rafka/internal/appender"
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/script"
)

// producerTTL is how long the sequence of an idle producer is remembered unless AppendOptions say
// otherwise.
const producerTTL = 24 * time.Hour

// MaxFields is the most fields that an entry can have: scripts unpack it onto Lua's stack, which
// ends at 8000 values in Redis and at about 5100 in the embedded server.
const MaxFields = 2500

// maxExact is the number from which on Lua's doubles skip some.
const maxExact = 1 << 53

// AppendOptions are what all appends of one output share. The zero value is ready for use.
type AppendOptions struct {
	// ProducerTTL is how long the sequence of a producer is kept after its last append to a
	// partition: 24 hours if 0.
	ProducerTTL time.Duration
	// MaxLength is the number of entries to which each append trims its partition, approximately; 0
	// keeps all.
	MaxLength int64
	// MaxAge is the age from which each append trims entries of its partition, approximately, by
	// the server's clock; 0 keeps all.
	MaxAge time.Duration
	// TrimFailed, if set, is called when records were written but the trimming after it failed. It
	// must not block.
	TrimFailed func(t appender.Target, err error)
}

// Appends writes records to partitions: it implements appender.Store. It is safe for concurrent use
// and does not close its client.
type Appends struct {
	client redis.UniversalClient
	o      AppendOptions
	// resends says that the client sends requests a second time by itself, so that the error of the
	// last attempt proves nothing about the first.
	resends bool
}

var _ appender.Store = (*Appends)(nil)

// NewAppends returns Appends on the client, which stays the caller's and should have go-redis' own
// retries switched off.
func NewAppends(client redis.UniversalClient, o AppendOptions) *Appends {
	if o.ProducerTTL <= 0 {
		o.ProducerTTL = producerTTL
	}
	return &Appends{client: client, o: o, resends: resends(client)}
}

// resends reports whether a client sends a pipeline of scripts a second time by itself. That of a
// cluster does not, see once.
func resends(client redis.UniversalClient) bool {
	switch c := client.(type) {
	case *redis.Client:
		return c.Options().MaxRetries > 0
	case *redis.ClusterClient:
		return false
	}
	return true
}

// Append writes a round of appends in one pipeline per node and answers in their order. Appends of
// one round must be to different partitions. It blocks for as long as the client waits for answers;
// ctx bounds that if the client heeds it.
func (a *Appends) Append(ctx context.Context, round []appender.Request) []appender.Result {
	results := make([]appender.Result, len(round))
	calls := make([]script.Call, 0, len(round))
	places := make([]int, 0, len(round))
	for i, part := range round {
		if err := checkAppend(ctx, part); err != nil {
			results[i] = appender.Result{
				Status: unsentStatus(err),
				Err:    fmt.Errorf("appending to %s: %w", part.Target.Key, err),
			}
			continue
		}
		calls = append(calls, a.call(part))
		places = append(places, i)
	}
	if len(calls) == 0 {
		return results
	}
	for i, reply := range script.RunAll(ctx, a.client, calls) {
		place := places[i]
		results[place] = a.result(round[place].Target, reply)
	}
	return results
}

// forgetAtOnce is the number of producer states in one pipeline.
const forgetAtOnce = 1000

// Forget drops the state of a producer that writes no more to the partitions with these keys. It
// may do so only if no append of it is still on its way: without the state it would be written. A
// state that can't be dropped is gone after its time. It expires instead of being deleted, for
// which no other right is needed than for appending.
func (a *Appends) Forget(ctx context.Context, producer string, names []string) error {
	for some := range slices.Chunk(names, forgetAtOnce) {
		_, err := a.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
			for _, key := range some {
				pipe.Set(ctx, keys.Producer(key, producer), "", time.Millisecond)
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("forgetting the producer: %w", rediserr.Explain(err))
		}
	}
	return nil
}

// checkAppend finds what forbids to send an append at all.
func checkAppend(ctx context.Context, part appender.Request) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if part.Epoch > maxExact || part.Seq > maxExact {
		return fmt.Errorf("epoch %d or sequence %d is above 2^53", part.Epoch, part.Seq)
	}
	for _, record := range part.Records {
		switch n := len(record.Fields); {
		case n == 0 || n%2 != 0:
			return fmt.Errorf("a record has %d names and values: an entry needs pairs of them, and at least one", n)
		case n > 2*MaxFields:
			return fmt.Errorf("a record has %d fields, the most is %d: leave metadata out by `metadata`, "+
				"or write the body as one field by `body_key`", n/2, MaxFields)
		}
	}
	return nil
}

func unsentStatus(err error) appender.Status {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return appender.Refused
	}
	return appender.Failed
}

// call lays an append out as append.lua reads it.
func (a *Appends) call(part appender.Request) script.Call {
	values := 6
	for _, record := range part.Records {
		values += 2 + len(record.Fields)
	}
	names, epoch := []string{part.Target.Key}, ""
	if part.Producer != "" {
		epoch = strconv.FormatUint(part.Epoch, 10)
		names = append(names, keys.Producer(part.Target.Key, part.Producer))
	}
	if part.Target.Plain {
		names = append(names, keys.Metadata(part.Target.Topic))
	}
	c := appendScript.Begin(names, values)
	c.Add(epoch)
	c.Add(part.Seq)
	c.Add(a.o.ProducerTTL.Milliseconds())
	c.Add(max(a.o.MaxLength, 0))
	c.Add(max(a.o.MaxAge, 0).Milliseconds())
	c.Add(len(part.Records))
	for rest := part.Records; len(rest) > 0; {
		run := alike(rest)
		c.Add(run)
		c.Add(len(rest[0].Fields))
		for _, record := range rest[:run] {
			for i := range record.Fields {
				c.Add(&record.Fields[i]) // a pointer is an interface without an allocation, a string is not
			}
		}
		rest = rest[run:]
	}
	return c
}

// alike counts the records, from the first, that have as many fields as it has.
func alike(records []appender.Record) int {
	for i, record := range records {
		if len(record.Fields) != len(records[0].Fields) {
			return i
		}
	}
	return len(records)
}

// result reads the answer to one append.
func (a *Appends) result(target appender.Target, r script.Result) appender.Result {
	result := appender.Result{Status: appender.Failed}
	if r.Err != nil {
		result.Status, result.Err = a.refusedStatus(r.Err), rediserr.Explain(r.Err)
	} else {
		result = a.replied(target, r.Value)
	}
	if result.Err != nil {
		result.Err = fmt.Errorf("appending to %s: %w", target.Key, result.Err)
	}
	return result
}

// The errors of appends that the script itself refuses.
var (
	errStale       = errors.New("another epoch of this producer was here: rafka numbers its appends anew")
	errGap         = errors.New("the server lost appends that it had acknowledged")
	errPartitioned = errors.New("the topic has been given partitions")
)

// replied reads what append.lua answered.
func (a *Appends) replied(target appender.Target, value any) appender.Result {
	reply := script.ReplyOf(value)
	switch reply.Word(0) {
	case "OK":
		if text := reply.Word(1); text != "" && a.o.TrimFailed != nil {
			a.o.TrimFailed(
				target,
				fmt.Errorf("trimming %s by XTRIM: %w", target.Key, rediserr.Explain(rediserr.Error(text))),
			)
		}
		return appender.Result{Status: appender.Written, Stored: numberOf(reply.Word(2))}
	case "DUP":
		return appender.Result{Status: appender.Duplicate}
	case "STALE":
		return appender.Result{
			Status: appender.Stale,
			Epoch:  numberOf(reply.Word(1)).Epoch,
			Err:    fmt.Errorf("%w (stored: %s)", errStale, reply.Word(1)),
		}
	case "GAP":
		return appender.Result{
			Status: appender.Gap,
			Stored: numberOf(reply.Word(1)),
			Err:    fmt.Errorf("%w (stored: %s)", errGap, reply.Word(1)),
		}
	case "PARTITIONED":
		return appender.Result{Status: appender.Partitioned, Err: errPartitioned}
	case "PARTIAL":
		written, err := reply.Number(1)
		if err != nil {
			return appender.Result{Status: appender.Unknown, Err: script.Unreadable(appendScript, value, err)}
		}
		return appender.Result{
			Status: appender.Partial,
			Count:  int(written),
			Err:    rediserr.Explain(rediserr.Error(reply.Word(2))),
		}
	}
	return appender.Result{Status: appender.Unknown, Err: script.Unexpected(appendScript, value)}
}

// numberOf reads a producer's state, "epoch:seq"; zero if there is none.
func numberOf(state string) (n appender.Number) {
	epoch, seq, _ := strings.Cut(state, ":")
	n.Epoch, _ = strconv.ParseUint(epoch, 10, 64) // they are numbers, or the script would have taken the state for none
	n.Seq, _ = strconv.ParseUint(seq, 10, 64)
	return n
}

// refusedStatus tells what an error of the client means for the records. A client that resends may
// have had the first attempt executed and its answer lost, whatever the last attempt met: no number
// may be used again then. Unknown says so, and for errors that a retry would meet again Partial
// with a count of 0, which does not wait.
func (a *Appends) refusedStatus(err error) appender.Status {
	class := rediserr.Classify(err)
	// A password that is refused may be accepted again: to give up would be to write anew what an
	// earlier attempt may have written.
	passes := class == rediserr.ClassTransient || class == rediserr.ClassAuth ||
		class == rediserr.ClassConnection && rediserr.NeverSent(err)
	switch {
	case class == rediserr.ClassNone: // an answer without a value is none that the script gives
		return appender.Unknown
	case passes && !a.resends:
		return appender.Refused
	case passes, class == rediserr.ClassConnection:
		return appender.Unknown
	case a.resends:
		return appender.Partial
	}
	return appender.Failed
}

// Node implements appender.Store by NodeOf.
func (a *Appends) Node(t appender.Target) string { return NodeOf(a.client, t) }

// NodeOf names the server that holds the target: "" unless the client is a cluster's, where it is
// the address of the slot's master as the client knows it, and "" until it has learnt the slots. It
// does no I/O.
func NodeOf(client redis.UniversalClient, t appender.Target) string {
	return script.NodeOf(client, t.Key)
}
