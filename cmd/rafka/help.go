package main

// help holds the exporter's HELP texts of rafka's own metrics and of the engine's. A test compares
// it with the metrics that the components register.
var help = map[string]string{
	// The input.
	"rafka_lag": "Entries of the partition behind the last acknowledged one; in a share group, those that were not " +
		"delivered.",
	"rafka_pending_entries":   "Entries of the partition that a share group has delivered and not acknowledged.",
	"rafka_passed_over_total": "Messages that were replayed from dead letters for another group.",
	"rafka_reclaimed_total": "Entries that were taken over from members of a share group that ended, or from " +
		"other programs because of adopt_idle.",
	"rafka_kept_entries_total":     "Entries that were acknowledged and not deleted, although delete_on_ack is set.",
	"rafka_lag_seconds":            "Age in seconds of the oldest entry of the partition that is not acknowledged.",
	"rafka_oldest_unacked_seconds": "How long the oldest batch of the partition has been in the pipeline, in seconds.",
	"rafka_last_read_seconds":      "Seconds since entries of the partition were last read.",
	"rafka_partitions_assigned":    "Partitions that this member of the group reads.",
	"rafka_rebalances_total":       "How often the set of partitions that this member reads changed.",
	"rafka_commits_total":          "Commits of the partition's offset.",
	"rafka_fenced_total": "Leases of the partition that were lost to another member or could not be " +
		"renewed in time.",
	"rafka_lost_entries_total": "Entries that were trimmed, deleted or lost by Redis before they were read, as " +
		"far as they can be counted.",
	"rafka_recreated_total":     "How often the partition's stream was found deleted, recreated or rolled back.",
	"rafka_redelivered_total":   "Messages that were handed out again after they were rejected.",
	"rafka_isolated_total":      "Messages that failed alone for the first time, so that they must be the cause.",
	"rafka_dead_lettered_total": "Messages that were given up, and written to the dead-letter topic.",
	"rafka_skipped_total": "Messages that were skipped: rejected ones, since auto_replay_nacks is false, and those " +
		"of a consumer group that an operator skipped.",

	// The output.
	"rafka_append_retries_total": "Appends to the partition that failed and were sent again.",
	"rafka_append_deduplicated_total": "Appends to the partition that an earlier attempt had written although its " +
		"reply was lost.",
	"rafka_append_gaps_total":         "How often Redis turned out to have lost acknowledged appends to the partition.",
	"rafka_append_lost_entries_total": "Acknowledged entries of the partition that Redis turned out to have lost.",
	"rafka_reordered_total": "Messages from a rafka input, by its topic, that arrived after a later " +
		"message of the same partition and key.",
	"rafka_metadata_dropped_total": "Metadata values that were not written because the entry already has a field " +
		"with that name.",

	// The engine.
	"batch_created":            "Batches that a batching policy made, by the condition that completed them.",
	"buffer_batch_received":    "Batches that the buffer received.",
	"buffer_batch_sent":        "Batches that the buffer passed on.",
	"buffer_latency_ns":        "Time from a batch being passed on by the buffer to its acknowledgement.",
	"buffer_received":          "Messages that the buffer received.",
	"buffer_sent":              "Messages that the buffer passed on.",
	"cache_duplicate":          "Additions to the cache whose key existed already, by operation.",
	"cache_error":              "Cache operations that failed.",
	"cache_latency_ns":         "Duration of cache operations.",
	"cache_not_found":          "Cache operations whose key did not exist.",
	"cache_success":            "Cache operations that succeeded.",
	"input_connection_failed":  "Attempts of the input to connect that failed.",
	"input_connection_lost":    "Connections that the input lost.",
	"input_connection_up":      "Connections that the input established.",
	"input_latency_ns":         "Time from a batch being read to its acknowledgement.",
	"input_received":           "Messages that the input read.",
	"output_batch_sent":        "Batches that the output wrote.",
	"output_connection_failed": "Attempts of the output to connect that failed.",
	"output_connection_lost":   "Connections that the output lost.",
	"output_connection_up":     "Connections that the output established.",
	"output_error":             "Batches that the output failed to write.",
	"output_latency_ns":        "Duration of the output's writes.",
	"output_rejected": "Messages that the output rejected because a processor failed, since error handling " +
		"is strict.",
	"output_sent":              "Messages that the output wrote.",
	"processor_batch_received": "Batches that the processor received.",
	"processor_batch_sent":     "Batches that the processor passed on.",
	"processor_error":          "Messages that the processor failed to process.",
	"processor_latency_ns":     "Duration of the processor's work on a batch.",
	"processor_received":       "Messages that the processor received.",
	"processor_sent":           "Messages that the processor passed on.",
	"rate_limit_checked":       "Requests to the rate limit.",
	"rate_limit_error":         "Requests to the rate limit that failed.",
	"rate_limit_triggered":     "Requests that the rate limit held back.",
}

// helpOf returns the HELP text of a metric. A metric without a text comes from the config, such as
// from a metric processor.
func helpOf(kind, name string) string {
	if text, ok := help[name]; ok {
		return text
	}
	return "A " + kind + " that the config or one of its components defines."
}
