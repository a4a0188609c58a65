package jetstream

// worker does everything but set up. It answers into the inboxes of others and nowhere else: with allow_responses, who
// asks could have the answer published as the worker, on a subject of their choice.
func (g grants) worker() Role {
	r := g.role("worker", Scope{})
	n, journal := g.n, g.n.Stream(JournalStream)
	r.Publish = []string{
		n.Subject("journal.*.*.*"), n.Subject("event", ">"), n.Subject("rollback.*.*"), n.Subject("dlq", "*"),
		n.Subject("summary.*.*.*"), n.Subject("worker", "*"),
		g.flags(""), "$KV." + n.Bucket(PoliciesBucket) + ".>", "_INBOX.>",
		"$JS.API.INFO", "$JS.API.STREAM.PURGE." + journal, "$JS.API.CONSUMER.LIST." + journal, // for retention
		"$JS.API.DIRECT.GET." + journal, "$JS.API.DIRECT.GET." + journal + ".>",
		"$JS.API.DIRECT.GET." + g.bucket(FlagsBucket) + ".>", "$JS.API.DIRECT.GET." + g.bucket(PoliciesBucket) + ".>",
	}
	r.Subscribe = append(r.Subscribe, n.Subject("cmd.*.*.*"), n.Subject("ack.*.*"), n.Subject("ask.*.*"), n.Subject("worker", "*"))
	for _, part := range parts(n) {
		r.Publish = append(r.Publish, "$JS.API.STREAM.INFO."+part.stream())
	}
	g.read(&r, journal, n.Subject("journal", ">"))
	g.watch(&r, g.flags(""))
	g.work(&r, n.Stream(ReleasesStream), ingestConsumer)
	g.work(&r, n.Stream(LeaseStream), leaseConsumer)
	for _, durable := range journalReaders {
		g.work(&r, journal, durable)
		// Their place in the journal is what nobody may lose or move.
		r.Deny = append(r.Deny, "$JS.API.CONSUMER.DELETE."+journal+"."+durable, "$JS.API.CONSUMER.CREATE."+journal+"."+durable+".>")
	}
	for _, name := range notifiers {
		g.work(&r, n.Stream(EventsStream), tellPrefix+name)
		r.Publish = append(r.Publish, "$JS.API.CONSUMER.CREATE."+n.Stream(EventsStream)+"."+tellPrefix+name)
	}
	return r
}

// work is taking from a durable consumer.
func (g grants) work(r *Role, stream, durable string) {
	on := stream + "." + durable
	r.Publish = append(r.Publish, "$JS.API.CONSUMER.INFO."+on, "$JS.API.CONSUMER.MSG.NEXT."+on, "$JS.ACK."+on+".>")
}
