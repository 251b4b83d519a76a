// Package ledger tests real processes: it runs the built binary as producers and consumers on real
// redis-servers, kills, pauses and scales them, moves slots and kills masters, and accounts for
// every message that was written and read. Unlike internal/topology, which tests the components in
// one process, everything here is a process of its own. The package consists of tests only, behind
// the build tag "ledger" because they take minutes. `make ledger` runs them; with DATA=FILE the
// first test sends the lines of that file.
//
// Terms:
//
//	process     one running binary and its output
//	ack log     one line per message whose write was acknowledged to the producer's pipeline: its number
//	ledger      one line per message that a consumer's pipeline finished: number, key, text,
//	            partition, offset, delivery count, and the time of the read
//	deliveries  all ledgers of a test, merged in the order in which the messages were read
//	scenario    one topic, one group, the server or servers, and the processes around them
//	contents    the final content of the streams: what Redis kept
//	lease watch the history of the leases, which explains why a message was read again
//	sink        the HTTP server to which consumers write in the tests of messages that fail: it can be
//	            down, reject one message, or not answer. It takes a batch as a whole, and writes the ledgers
//	letter      one dead letter, with the origin of its message
//	mode        a kind of group with an ordering; a test of messages that fail runs in several modes
//
// TestChaos does all of this at random, for as long as you like: `make chaos`. Its terms:
//
//	fault       a kind of fault, with the targets that it can have; the nemesis draws faults from a seed
//	host        a place for one process, with its own connection to the servers
//	fault event one fault as it happened, in the history
//	audit       checks the messages in the order in which they were read, half a minute later. It keeps a
//	            few bits per message number. A consumer group and a share group read the same topic, and
//	            the audit checks each of them
//	mark        the entry up to which the share group has acknowledged everything, like a commit
//
// A mapping in the input's own processors records the time of a read. It runs as soon as the engine
// has taken a batch from the input. One batch can be taken and not be stamped yet; no process
// outside can measure this more closely.
//
// A consumer writes its line before the message is acknowledged. A line without a commit is
// therefore a message that can be delivered again, and a commit without a line would be a lost
// message.
//
// Only one goroutine, in the producer's input, numbers the messages, and the output has
// max_in_flight 1: inputs other than rafka's need both to keep the order.
package ledger
