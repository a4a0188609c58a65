package jetstream

// worker does everything but set up. It answers into the inboxes of others and nowhere else: with allow_responses, who
// asks could have the answer published as the worker, on a subject of their choice.
func (g grants) worker() Role {
	r := g.role("worker", Scope{})
	r.Account = g.n.account()
	n, journal, events := g.n, g.n.Stream(JournalStream), g.n.Stream(EventsStream)
	r.Publish = []string{
		n.Subject("journal.*.*.*"), n.Subject("event", ">"), n.Subject("rollback.*.*"), n.Subject("dlq", "*"), n.Subject("audit", ">"), n.Subject("refused.*.*"),
		n.Subject("summary.*.*.*"), n.Subject("worker", "*"), n.Subject("offers", ">"),
		g.flags(""), "$KV." + n.Bucket(PoliciesBucket) + ".>", g.notebook(), "_INBOX.>", "_R_.>",
		"$JS.API.INFO", "$JS.API.STREAM.PURGE." + journal, "$JS.API.CONSUMER.LIST." + journal, // for retention
	}
	for _, stream := range []string{journal, events} {
		r.Publish = append(r.Publish, "$JS.API.DIRECT.GET."+stream, "$JS.API.DIRECT.GET."+stream+".>")
	}
	for _, bucket := range []string{FlagsBucket, PoliciesBucket, NotifyBucket} {
		r.Publish = append(r.Publish, "$JS.API.DIRECT.GET."+g.bucket(bucket)+".>")
	}
	for _, s := range []string{"cmd.*.*.*", "ack.*.*"} {
		r.Subscribe = append(r.Subscribe, n.Subject(s), n.Subject(signedToken, s))
	}
	r.Subscribe = append(r.Subscribe, n.Subject("ask.*.*"), n.Subject("read.*.*.*"), n.Subject("slots"), n.Subject("slots.*"), n.Subject("about"),
		n.Subject("worker", "*"), n.Subject("offers", ">"), n.Subject("event.*.*.>"))
	for _, part := range parts(n) {
		r.Publish = append(r.Publish, "$JS.API.STREAM.INFO."+part.stream())
	}
	g.read(&r, journal, n.Subject("journal", ">"))
	g.read(&r, n.Stream(SummaryStream), n.Subject("summary", ">"))
	g.watch(&r, FlagsBucket, g.flags(""))
	g.watch(&r, NotifyBucket, g.notebook())
	g.durables(&r)
	return r
}

// durables is taking from the durable consumers.
func (g grants) durables(r *Role) {
	journal, events := g.n.Stream(JournalStream), g.n.Stream(EventsStream)
	g.work(r, g.n.Stream(ReleasesStream), ingestConsumer)
	g.work(r, g.n.Stream(LeaseStream), leaseConsumer)
	for _, durable := range journalReaders {
		g.work(r, journal, durable)
		// Their place in the journal is what nobody may lose or move.
		r.Deny = append(r.Deny, "$JS.API.CONSUMER.DELETE."+journal+"."+durable, "$JS.API.CONSUMER.CREATE."+journal+"."+durable+".>")
	}
	// Receivers have names of the user's choice, and a subject's wildcard stands for a whole token: what begins with tell-
	// cannot be told from others. So it is any consumer of the events, and of no other stream; none may be deleted.
	g.work(r, events, "*")
	r.Publish = append(r.Publish, "$JS.API.CONSUMER.CREATE."+events+".*")
}

// work is taking from a durable consumer.
func (g grants) work(r *Role, stream, durable string) {
	on := stream + "." + durable
	r.Publish = append(r.Publish, "$JS.API.CONSUMER.INFO."+on, "$JS.API.CONSUMER.MSG.NEXT."+on, "$JS.ACK."+on+".>")
}

// read is reading a stream through consumers of one's own.
func (g grants) read(r *Role, stream, filter string) {
	r.Publish = append(r.Publish, "$JS.API.CONSUMER.CREATE."+stream+".*."+filter)
	for _, verb := range []string{"INFO", "DELETE", "MSG.NEXT"} {
		r.Publish = append(r.Publish, "$JS.API.CONSUMER."+verb+"."+stream+".*")
	}
}

// watch is following a bucket.
func (g grants) watch(r *Role, bucket, filter string) {
	stream := g.bucket(bucket)
	r.Publish = append(r.Publish, "$JS.API.CONSUMER.CREATE."+stream+".*."+filter,
		"$JS.API.CONSUMER.DELETE."+stream+".*", "$JS.FC."+stream+".>")
}

// notebook are the subjects of what the notifiers remember.
func (g grants) notebook() string { return "$KV." + g.n.Bucket(NotifyBucket) + ".>" }
