// Package ledger keeps the books on real processes: it runs the built binary as producers and consumers over real redis-servers, kills,
// pauses and scales them, moves slots and kills masters, and accounts for every message that went in and came out. It holds nothing but
// tests, behind the build tag "ledger": they take minutes. `make ledger` runs them; with DATA=FILE the messages of the first test are the
// lines of that file.
//
// Who is who:
//
//	process     one running binary and what it printed
//	entry book  (input)  one line per message whose write was acknowledged to the producer's pipeline: its number
//	ledger      (output) one line per message that a consumer's pipeline finished: number, key, text, partition, offset, delivery
//	            count, and when it was read; a ledger is one consumer's
//	account     all ledgers of a test, merged in the order in which messages were read
//	scenario    one topic, one group, the server or servers that hold them, and the processes around them
//	stock       what stands in the streams in the end: what Redis kept
//	watch       what the leases were, moment by moment, which tells why something was read again
//
// TestChaos does all of this at random, for as long as one likes: `make chaos`. Its words:
//
//	strike      a kind of misfortune, drawn by the nemesis from a seed, and its victim
//	seat        a place for a process, and its line to the servers
//	blow        a misfortune as it happened, in the history
//	audit       judges what came out, in the order of reading and half a minute behind, and knows a few bits of each number
//
// The time of a read is taken by a mapping in the input's own processors, which runs as soon as the engine has taken a batch from the
// input. One batch may have been taken and not be stamped yet: that is as near as anybody outside the process comes.
//
// A consumer writes its line before the message is acknowledged. So a line without a commit is a message that may be delivered
// again, and a commit without a line would be a loss.
//
// Messages are numbered in one place, by the only goroutine of the producer's input, and the output has max_in_flight 1: order from
// inputs other than rafka's own needs that.
package ledger
