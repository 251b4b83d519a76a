package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rafka-streams/rafka/internal/appender"
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/script"
)

// producerTTL is the default of AppendOptions.ProducerTTL.
const producerTTL = 24 * time.Hour

// MaxFields is the maximum number of fields in an entry. The script unpacks the fields onto Lua's
// stack, which holds 8000 values in Redis and about 5100 in the embedded server.
const MaxFields = 2500

// maxExact is 2^53. Lua's numbers are doubles, which cannot represent every integer above this
// limit.
const maxExact = 1 << 53

// AppendOptions configures all appends of one output. The zero value is valid.
type AppendOptions struct {
	// ProducerTTL is how long Redis keeps the sequence number of a producer after the producer's
	// last append to a partition. 0 means 24 hours.
	ProducerTTL time.Duration
	// MaxLength limits the number of entries: each append trims its partition to about this number.
	// 0 disables this trimming.
	MaxLength int64
	// MaxAge limits the age of entries: each append removes the entries of its partition that are
	// older, approximately, by the server's clock. 0 disables this trimming.
	MaxAge time.Duration
	// IDWindow is how long a partition knows the message IDs that were written to it: a record with
	// a known ID is not written. 0 ignores message IDs.
	IDWindow time.Duration
	// TrimFailed, if set, is called when an append wrote its records but failed to trim the
	// partition afterwards. TrimFailed must not block.
	TrimFailed func(t appender.Target, err error)
}

// Appends writes records to partitions. It implements appender.Store. It is safe for concurrent use
// and does not close its client.
type Appends struct {
	client redis.UniversalClient
	o      AppendOptions
	// resends is true if the client automatically retries requests. The error of the last attempt
	// then proves nothing about the earlier attempts.
	resends   bool
	maxFields int // of an entry
}

var _ appender.Store = (*Appends)(nil)

// NewAppends returns Appends that use the client. The caller keeps ownership of the client and
// should disable go-redis' own retries on it.
func NewAppends(client redis.UniversalClient, o AppendOptions) *Appends {
	if o.ProducerTTL <= 0 {
		o.ProducerTTL = producerTTL
	}
	return &Appends{client: client, o: o, resends: resends(client), maxFields: MaxFields}
}

// resends reports whether the client automatically retries a pipeline of scripts. A cluster client
// does not retry them: see script.Once.
func resends(client redis.UniversalClient) bool {
	switch c := client.(type) {
	case *redis.Client:
		return c.Options().MaxRetries > 0
	case *redis.ClusterClient:
		return false
	}
	return true
}

// Append sends a round of appends as one pipeline per node and returns the results in the order of
// the round. All appends of a round must be to different partitions. Append blocks while the client
// waits for replies. ctx limits the wait if the client respects contexts.
func (a *Appends) Append(ctx context.Context, round []appender.Request) []appender.Result {
	results := make([]appender.Result, len(round))
	calls := make([]script.Call, 0, len(round))
	sent := make([]int, 0, len(round))
	for i, part := range round {
		if err := a.checkAppend(ctx, part); err != nil {
			results[i] = appender.Result{
				Status: unsentStatus(err),
				Err:    fmt.Errorf("appending to %s: %w", part.Target.Key, err),
			}
			continue
		}
		calls = append(calls, a.call(part))
		sent = append(sent, i)
	}
	if len(calls) == 0 {
		return results
	}
	for i, reply := range script.RunAll(ctx, a.client, calls) {
		index := sent[i]
		results[index] = a.result(round[index].Target, reply)
	}
	return results
}

// maxForget is the maximum number of producer states in one pipeline.
const maxForget = 1000

// Forget removes the state of a producer that no longer writes to the partitions with these keys.
// The caller must call Forget only after all appends of the producer have ended: without the state,
// the script cannot reject a late append. A state that Forget fails to remove expires after
// ProducerTTL. Forget sets a short expiry instead of deleting the state, because that needs only
// the permissions that appending needs.
func (a *Appends) Forget(ctx context.Context, producer string, names []string) error {
	for chunk := range slices.Chunk(names, maxForget) {
		_, err := a.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
			for _, key := range chunk {
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

// checkAppend returns an error if the append must not be sent.
func (a *Appends) checkAppend(ctx context.Context, part appender.Request) error {
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
		case n > 2*a.maxFields:
			return fmt.Errorf("a record has %d fields, the most is %d: leave metadata out by `metadata`, "+
				"or write the body as one field by `body_key`", n/2, a.maxFields)
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

// call builds the arguments that append.lua expects.
func (a *Appends) call(part appender.Request) script.Call {
	values := 7
	for _, record := range part.Records {
		values += 3 + len(record.Fields)
	}
	names, epoch := []string{part.Target.Key}, ""
	if part.Producer != "" {
		epoch = strconv.FormatUint(part.Epoch, 10)
		names = append(names, keys.Producer(part.Target.Key, part.Producer))
	}
	if part.Target.Plain {
		names = append(names, keys.Metadata(part.Target.Topic))
	}
	if a.o.IDWindow > 0 {
		names = append(names, keys.IDs(part.Target.Key))
	}
	c := appendScript.Begin(names, values)
	c.Add(epoch)
	c.Add(part.Seq)
	c.Add(a.o.ProducerTTL.Milliseconds())
	c.Add(max(a.o.MaxLength, 0))
	c.Add(max(a.o.MaxAge, 0).Milliseconds())
	c.Add(len(part.Records))
	c.Add(max(a.o.IDWindow, 0).Milliseconds())
	for rest := part.Records; len(rest) > 0; {
		run := runLength(rest)
		c.Add(run)
		c.Add(len(rest[0].Fields))
		for _, record := range rest[:run] {
			if a.o.IDWindow > 0 {
				c.Add(record.ID)
			}
			for i := range record.Fields {
				c.Add(&record.Fields[i]) // a pointer becomes an interface without an allocation, unlike a string
			}
		}
		rest = rest[run:]
	}
	return c
}

// runLength returns how many records at the start of the slice have the same number of fields.
func runLength(records []appender.Record) int {
	for i, record := range records {
		if len(record.Fields) != len(records[0].Fields) {
			return i
		}
	}
	return len(records)
}

// Node implements appender.Store with NodeOf.
func (a *Appends) Node(t appender.Target) string { return NodeOf(a.client, t) }

// NodeOf returns the address of the server that holds the target if the client is a cluster client:
// the address of the slot's master in the client's slot table. It returns "" for other clients, and
// until the client has loaded the slot table. It does no I/O.
func NodeOf(client redis.UniversalClient, t appender.Target) string {
	return script.NodeOf(client, t.Key)
}
