package output

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/rafka-streams/rafka/config"
	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
)

const (
	// maxRedisValue is the largest argument of a command that Redis accepts by default
	// (proto-max-bulk-len).
	maxRedisValue = 512 << 20
	// unkeyedInFlight is the default of max_in_flight without a key.
	unkeyedInFlight = 64
)

// lintRule calls check from the linter. So the linter and the constructor reject the same
// configurations with the same texts.
var lintRule = config.RegisterLint("rafka_lint_output", check)

// check returns the problems of the output's own fields. Each text names the field and the remedy.
func check(f config.Fields) []string {
	var p config.Problems
	checkStreamName(f, &p)
	checkPartitioning(f, &p)
	if bodyKey, _ := f.Text(fieldBodyKey); broker.Reserved(bodyKey) {
		p.Add(fieldBodyKey, "%q is a field that rafka itself writes: choose another name", bodyKey)
	}
	if _, ok := f.Whole(fieldPartitions, 1, keys.MaxPartitions); !ok {
		p.Add(
			fieldPartitions,
			"is %s: set it to a whole number from 1 to %d, or remove it to write to topics as they are",
			f.Shown(fieldPartitions),
			keys.MaxPartitions,
		)
	}
	for _, field := range []string{fieldMaxLength, fieldMaxRetries} {
		if _, ok := f.Whole(field, 0, math.MaxInt64); !ok {
			p.Add(field, "is %s: set it to a whole number, or to 0 for no limit", f.Shown(field))
		}
	}
	if _, ok := f.Whole(fieldMaxInFlight, 1, math.MaxInt32); !ok {
		p.Add(
			fieldMaxInFlight,
			"is %s: set it to a whole number from 1 upwards, or remove it for 1 with key and %d without",
			f.Shown(fieldMaxInFlight),
			unkeyedInFlight,
		)
	}
	checkMetadata(f, &p)
	checkLimits(f, &p)
	return p
}

func checkStreamName(f config.Fields, p *config.Problems) {
	name, _ := f.Text(fieldStreamName)
	if strings.TrimSpace(name) == "" {
		p.Add(fieldStreamName, "is missing or empty: set it to the name of the topic to write to")
		return
	}
	if static, ok := staticText(name); ok {
		p.AddErr(keys.ValidateTopic(static, f[fieldPartitions] != nil))
	}
}

// staticText returns the value of an interpolated string that does not depend on the message. It
// returns false for a string that can't be parsed; the engine reports that.
func staticText(text string) (string, bool) {
	parsed, err := service.NewInterpolatedString(text)
	if err != nil {
		return "", false
	}
	return parsed.Static()
}

func checkPartitioning(f config.Fields, p *config.Problems) {
	kinds := []string{murmur2Hash, roundRobin, manual}
	kind, _ := f.Text(fieldPartitioner)
	key, _ := f.Text(fieldKey)
	partition, _ := f.Text(fieldPartition)
	switch {
	case !slices.Contains(kinds, kind):
		p.Add(fieldPartitioner, "%q is not one of %s: use one of these, in lower case", kind, strings.Join(kinds, ", "))
	case kind == manual && partition == "":
		p.Add(
			fieldPartition,
			"is missing, and partitioner manual takes the number of the partition from it: set it, or choose "+
				"another partitioner",
		)
	case kind != manual && partition != "":
		p.Add(fieldPartition, "has no effect with partitioner %s: set partitioner to manual, or remove partition", kind)
	case kind == roundRobin && key != "":
		p.Add(
			fieldKey,
			"is not allowed with partitioner round_robin, where messages of one key would lose their order: "+
				"remove key, or set partitioner to murmur2_hash",
		)
	}
}

func checkMetadata(f config.Fields, p *config.Problems) {
	object, ok := f[fieldMetadata].(map[string]any)
	if !ok {
		p.Add(fieldMetadata, "is not an object: set it to an object such as {%s: [internal_]}", excludePrefixes)
		return
	}
	for name, value := range object {
		prefixes, ok := value.([]any)
		for _, prefix := range prefixes {
			_, isText := prefix.(string)
			ok = ok && isText
		}
		switch {
		case name != excludePrefixes:
			p.Add(fieldMetadata+"."+name, "is not a known field: metadata has only %s", excludePrefixes)
		case !ok:
			p.Add(fieldMetadata+"."+name, "is not a list of strings: set it to a list such as [internal_]")
		}
	}
}

func checkLimits(f config.Fields, p *config.Problems) {
	size, _ := f.Text(fieldMaxMessageBytes)
	bytes, err := config.ParseSize(fieldMaxMessageBytes, size)
	p.AddErr(err)
	if bytes > maxRedisValue {
		p.Add(
			fieldMaxMessageBytes,
			"%q is more than the %d bytes (512MiB) that Redis accepts as one value: use 512MiB or less",
			size,
			maxRedisValue,
		)
	}
	if age, _ := f.Text(fieldMaxAge); age != "" {
		_, err := config.ParsePositiveDuration(fieldMaxAge, age)
		p.AddErr(err)
	}
	checkBackoff(f.Object(fieldBackoff), p)
}

// minBackoff prevents retries from occupying a server that rejects them.
const minBackoff = time.Millisecond

func checkBackoff(f config.Fields, p *config.Problems) {
	interval := func(name string) time.Duration {
		text, _ := f.Text(name)
		d, err := config.ParsePositiveDuration(fieldBackoff+"."+name, text)
		p.AddErr(err)
		p.AddShort(fieldBackoff+"."+name, d, minBackoff)
		return d
	}
	initial, highest := interval("initial_interval"), interval("max_interval")
	if initial > 0 && highest > 0 && initial > highest {
		p.Add(
			fieldBackoff+".initial_interval",
			"%s is longer than max_interval, which is %s: shorten initial_interval or lengthen "+
				"max_interval",
			initial,
			highest,
		)
	}
	text, _ := f.Text("max_elapsed_time")
	if d, err := time.ParseDuration(text); err != nil || d < 0 {
		p.Add(
			fieldBackoff+".max_elapsed_time",
			"%q is not a duration: use a number with a unit such as 2m, or 0s for no limit",
			text,
		)
	}
}
