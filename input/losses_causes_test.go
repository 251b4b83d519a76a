package input

// cause is one way in which a stream loses entries. Entries 0 to 9 were read before. One script
// does the damage, so that the reader detects no intermediate state. docs/explanation/data-loss.md
// describes each cause.
type cause struct {
	name string
	// damage is a Lua script for the stream s. add(from, to) writes numbers and returns their IDs,
	// put(id, text) writes one entry. ARGV[1] is a dump of the stream with entries 0 to 4.
	damage string
	// want holds the texts that arrive afterwards. again allows repeats of texts that were read
	// before.
	want  []string
	again bool
	// lost and recreated are the values of the metrics.
	lost, recreated int64
	// spent is true if a reading member knows that everything had been read: it logs this and
	// counts no loss.
	spent bool
	// line is part of the log line, stopped of the log line with on_data_loss: fail.
	line, stopped string
}

// causesOfLoss has the order of docs/explanation/data-loss.md.
var causesOfLoss = []cause{
	{
		name:    "trimmed before it was read",
		damage:  "add(10, 19) redis.call('XTRIM', s, 'MAXLEN', 3)",
		want:    numbers(17, 20),
		lost:    7,
		line:    "lost 7 entries before they were read",
		stopped: ": 7 entries after offset ",
	},
	{
		name:   "trimmed to nothing",
		damage: "add(10, 19) redis.call('XTRIM', s, 'MAXLEN', 0) add(20, 20)", want: numbers(20, 21), lost: 10,
		line: "lost 10 entries before they were read", stopped: ": 10 entries after offset ",
	},
	{
		name:    "deleted at the front",
		damage:  "local ids = add(10, 19) redis.call('XDEL', s, ids[1], ids[2])",
		want:    numbers(12, 20),
		lost:    2,
		line:    "lost 2 entries before they were read",
		stopped: ": 2 entries after offset ",
	},
	{
		name: "deleted in the middle", damage: "local ids = add(10, 19) redis.call('XDEL', s, ids[3], ids[5], ids[6])",
		want: []string{"10", "11", "13", "16", "17", "18", "19"}, lost: 3,
		line: "lost 3 entries before they were read", stopped: ": 3 entries after offset ",
	},
	{
		name:   "deleted and trimmed",
		damage: "local ids = add(10, 19) redis.call('XTRIM', s, 'MAXLEN', 8) redis.call('XDEL', s, ids[5], ids[9])",
		want:   []string{"12", "13", "15", "16", "17", "19"}, lost: 4,
		line: "lost 4 entries before they were read", stopped: ": 4 entries after offset ",
	},
	{
		name:      "recreated with higher IDs",
		damage:    "redis.call('DEL', s) add(10, 19)",
		want:      numbers(10, 20),
		recreated: 1,
		spent:     true,
		line:      "was recreated or went back in time",
		stopped:   "its stream was recreated",
	},
	{
		name:      "recreated with higher IDs and more entries",
		damage:    "redis.call('DEL', s) add(10, 39)",
		want:      numbers(10, 40),
		recreated: 1,
		spent:     true,
		line:      "was recreated or went back in time",
		stopped:   "its stream was recreated",
	},
	{
		name:      "recreated with lower IDs",
		damage:    "redis.call('DEL', s) put('5-1', 'a') put('5-2', 'b')",
		want:      []string{"a", "b"},
		recreated: 1,
		line:      "was recreated or went back in time",
		stopped:   "its stream was recreated",
	},
	{
		name:      "recreated with lower, then higher IDs",
		damage:    "redis.call('DEL', s) put('5-1', 'a') put('5-2', 'b') put('*', 'c')",
		want:      []string{"a", "b", "c"},
		again:     true,
		recreated: 1,
		line:      "was recreated or went back in time",
		stopped:   "its stream was recreated",
	},
	{
		name: "deleted as a whole", damage: "redis.call('DEL', s)", recreated: 1, spent: true,
		line: "is gone: its stream was deleted, evicted or flushed", stopped: "its stream is gone",
	},
	{
		name:      "restored from an old dump",
		damage:    "redis.call('RESTORE', s, 0, ARGV[1], 'REPLACE')",
		again:     true,
		recreated: 1,
		line:      "was recreated or went back in time",
		stopped:   "its stream was recreated",
	},
	{
		name:      "restored from an old dump and written on",
		damage:    "redis.call('RESTORE', s, 0, ARGV[1], 'REPLACE') add(10, 12)",
		want:      numbers(10, 13),
		again:     true,
		recreated: 1,
		line:      "was recreated or went back in time",
		stopped:   "its stream was recreated",
	},
}
