package jetstream

import "cmp"

// WithInputs are the roles with what a worker needs besides for inputs: it takes from their streams, and publishes
// releases. Making a stream is the business of the user setup: an input whose stream is not named has one of its own.
func WithInputs(n Names, roles []Role, inputs []Input) []Role {
	g := grants{n: n}
	for i := range roles {
		r := &roles[i]
		if r.Name != "worker" || len(inputs) == 0 {
			continue
		}
		r.Publish = append(r.Publish, n.Subject("release.*.*"), "$JS.API.STREAM.NAMES")
		for _, in := range inputs {
			stream, durable := cmp.Or(in.Stream, n.inputStream(in)), n.inputConsumer(in)
			r.Publish = append(r.Publish, "$JS.API.STREAM.INFO."+stream, "$JS.API.CONSUMER.CREATE."+stream+"."+durable+"."+in.Subject)
			g.work(r, stream, durable)
		}
	}
	return roles
}
