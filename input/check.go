package input

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/rafka-streams/rafka/config"
	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/splits"
)

const (
	lossContinue = "continue"
	lossFail     = "fail"

	startGroup = "group"

	orderPartition = "partition"
	orderKey       = "key"
	orderNone      = "none"

	// shortestSession leaves enough time on a network for a heartbeat and for a request that takes
	// half a heartbeat interval.
	shortestSession = time.Second
	// The other bounds keep the load on a server low: each member of each group sends these
	// requests.
	shortestHeartbeat = 100 * time.Millisecond
	shortestSample    = 100 * time.Millisecond
	shortestCommit    = 10 * time.Millisecond
	// shortestIdle is far above the time for which a program normally works on a message.
	shortestIdle = time.Second
	// heartbeatsPerSession is the least number of heartbeats in a session.
	heartbeatsPerSession = 3
	// defaultHeartbeat is the default interval for sessions that are long enough.
	defaultHeartbeat = 3 * time.Second
)

var orderings = map[string]splits.Ordering{
	orderPartition: splits.ByPartition,
	orderKey:       splits.ByKey,
	orderNone:      splits.Unordered,
}

// lintRule makes the linter call check, so that the linter and the constructor reject the same
// values with the same texts.
var lintRule = config.RegisterLint("rafka_lint_input", check)

// check returns what is wrong with the input's own fields, each naming the field and the remedy.
func check(f config.Fields) []string {
	var p config.Problems
	checkNames(f, &p)
	if start, _ := f.Text(fieldStartOffset); true {
		_, err := parseStart(start, time.Now())
		p.AddErr(err)
	}
	for _, field := range []string{fieldBatchSize, fieldCheckpointLimit, fieldMaxAhead} {
		checkWhole(f, field, &p)
	}
	checkChoice(f, fieldOrdering, []string{orderPartition, orderKey, orderNone}, &p)
	if ordering, _ := f.Text(fieldOrdering); ordering == orderKey && f.Object(fieldUnordered).Bool(fieldEnabled) {
		p.Add(fieldUnordered, "asks for no order, but ordering is key: remove one of them")
	}
	checkChoice(f, fieldOnDataLoss, []string{lossContinue, lossFail}, &p)
	if key, _ := f.Text(fieldOrderKey); key == "" {
		p.Add(fieldOrderKey, "is empty: set it to the field of the entries that holds the key, or remove it")
	}
	for _, field := range []string{fieldPartitionBuffer, fieldFetchMax} {
		size, _ := f.Text(field)
		_, err := config.ParseSize(field, size)
		p.AddErr(err)
	}
	checkChoice(f, fieldGroupType, []string{broker.ConsumerGroup, broker.ShareGroup}, &p)
	if kind, _ := f.Text(fieldGroupType); kind == broker.ShareGroup {
		checkShare(f, &p)
	} else {
		checkNotShare(f, &p)
	}
	checkDeadLetter(f, &p)
	if bodyKey, _ := f.Text(fieldBodyKey); broker.Reserved(bodyKey) {
		p.Add(fieldBodyKey, "%q holds something else in an entry: choose another name", bodyKey)
	}
	checkTimes(f, &p)
	return p
}

// checkShare checks that no field asks for something that share groups do not have.
func checkShare(f config.Fields, p *config.Problems) {
	if ordering, _ := f.Text(fieldOrdering); ordering == orderKey {
		p.Add(fieldOrdering, "is key, but a share group keeps no order: remove it, or set group_type to consumer")
	}
	if start, _ := f.Text(fieldStartOffset); start == startGroup {
		p.Add(fieldStartOffset, "is group, which is for consumer groups: remove it, since a share group with the name "+
			"of a Redis consumer group continues where that one stands")
	}
	if loss, _ := f.Text(fieldOnDataLoss); loss == lossFail {
		p.Add(fieldOnDataLoss, "is fail, but a share group reads on behind a loss: remove it, or set group_type to "+
			"consumer")
	}
}

// checkNotShare checks that no field asks for something that only share groups have.
func checkNotShare(f config.Fields, p *config.Problems) {
	if idle, _ := f.Text(fieldAdoptIdle); idle != "" {
		p.Add(fieldAdoptIdle, "is for share groups: remove it, or set group_type to share")
	}
	if f.Bool(fieldDeleteOnAck) {
		p.Add(fieldDeleteOnAck, "is for share groups: remove it, or set group_type to share. To bound the size of the "+
			"topic, set max_length or max_age of the output that writes it")
	}
}

func checkNames(f config.Fields, p *config.Problems) {
	if topic, _ := f.Text(fieldStreamName); strings.TrimSpace(topic) == "" {
		p.Add(fieldStreamName, "is missing or empty: set it to the name of the topic to read")
	} else {
		p.AddErr(keys.ValidateTopic(topic, false))
	}
	if group, _ := f.Text(fieldConsumerGroup); strings.TrimSpace(group) == "" {
		p.Add(fieldConsumerGroup, "is missing or empty: set it to a name that all members of the group share")
	} else {
		p.AddErr(keys.ValidateGroup(group))
	}
	if name, _ := f.Text(fieldConsumerName); name != "" {
		p.AddErr(keys.ValidateConsumer(name))
	}
	if id, _ := f.Text(fieldInstanceID); id != "" {
		p.AddErr(keys.ValidateInstance(id))
	}
}

func checkChoice(f config.Fields, field string, choices []string, p *config.Problems) {
	if choice, _ := f.Text(field); !slices.Contains(choices, choice) {
		p.Add(field, "%q is not one of %s: use one of these, in lower case", choice, strings.Join(choices, ", "))
	}
}

func checkWhole(f config.Fields, field string, p *config.Problems) {
	if _, ok := f.Whole(field, 1, math.MaxInt32); !ok {
		p.Add(field, "is %s: set it to a whole number from 1 upwards", f.Shown(field))
	}
}

func checkTimes(f config.Fields, p *config.Problems) {
	period := func(field string) time.Duration {
		text, set := f.Text(field)
		if !set && field == fieldHeartbeat {
			return 0
		}
		d, err := config.ParsePositiveDuration(field, text)
		p.AddErr(err)
		return d
	}
	if idle, _ := f.Text(fieldAdoptIdle); idle != "" {
		d, err := config.ParsePositiveDuration(fieldAdoptIdle, idle)
		p.AddErr(err)
		p.AddShort(fieldAdoptIdle, d, shortestIdle)
	}
	period(fieldRebalance)
	p.AddShort(fieldCommitPeriod, period(fieldCommitPeriod), shortestCommit)
	p.AddShort(fieldRefreshMetadata, period(fieldRefreshMetadata), shortestHeartbeat)
	p.AddShort(fieldRefreshLag, period(fieldRefreshLag), shortestSample)
	session, heartbeat := period(fieldSessionTimeout), period(fieldHeartbeat)
	p.AddShort(fieldSessionTimeout, session, shortestSession)
	p.AddShort(fieldHeartbeat, heartbeat, shortestHeartbeat)
	if session > 0 && heartbeat > session/heartbeatsPerSession {
		p.Add(
			fieldHeartbeat,
			"%s is more than a third of session_timeout, which is %s: set it to %s or less, or lengthen "+
				"session_timeout",
			heartbeat,
			session,
			session/heartbeatsPerSession,
		)
	}
}

// parseStart parses the field start_offset.
func parseStart(text string, now time.Time) (splits.Start, error) {
	if text == startGroup {
		return splits.Adopt(), nil
	}
	start, err := splits.ParseStart(text, now)
	if err != nil {
		return splits.Start{}, fmt.Errorf("%s: %w", fieldStartOffset, err)
	}
	return start, nil
}
