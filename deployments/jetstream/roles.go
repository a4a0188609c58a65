package jetstream

import (
	"fmt"
	"strings"

	"github.com/serin-cd/serin/deployments"
)

// Scope narrows roles to what somebody is responsible for. Empty fields mean all.
type Scope struct {
	Environment, Service string
}

// Validate refuses names that are no tokens of a subject.
func (s Scope) Validate() error {
	if err := (deployments.Slot{Environment: orAny(s.Environment, "any"), Service: orAny(s.Service, "any")}).Validate(); err != nil {
		return fmt.Errorf("scope: %w", err)
	}
	return nil
}

// Role is what one kind of client may do: the subjects that a NATS server lets it publish and subscribe to.
type Role struct {
	Name      string   `json:"role"`
	User      string   `json:"user"`           // the name and the scope, such as ci-production-checkout
	Publish   []string `json:"publish"`        // allowed
	Deny      []string `json:"deny,omitempty"` // of what Publish allows
	Subscribe []string `json:"subscribe"`      // allowed
	Inbox     string   `json:"inbox"`          // ClientOptions.Inbox of the role: no other role reads its replies
}

// notifiers are the names that Events.Tell is called with. Readers of events are kept away from their consumers.
var notifiers = [...]string{"slack"}

// journalReaders are the durable consumers of the journal.
var journalReaders = [...]string{dispatchConsumer, summariesConsumer}

// Roles are the six roles with the rights they need and no others. A worker has no scope, and of an application only
// the environment counts: flags belong to no service. None of them may make, change or delete a stream.
func Roles(n Names, s Scope) []Role {
	g := grants{n, orAny(s.Environment, "*") + "." + orAny(s.Service, "*"), s}
	return []Role{g.ci(), g.operator(), g.viewer(), g.deployer(), g.worker(), g.application()}
}

// grants makes the rights of one scope.
type grants struct {
	n     Names
	slot  string // <environment>.<service>, with * for all
	scope Scope
}

// role begins a role with its inbox.
func (g grants) role(name string, s Scope) Role {
	user := strings.Join(append([]string{name}, nonEmpty(s.Environment, s.Service)...), "-")
	inbox := "_INBOX." + user
	return Role{Name: name, User: user, Inbox: inbox, Subscribe: []string{inbox + ".>"}}
}

// ci publishes releases, follows them, and aborts its own. Dead letters name no slot: it hears those of others too.
func (g grants) ci() Role {
	r := g.role("ci", g.scope)
	r.Publish = []string{g.n.Subject("release", g.slot), g.n.Subject("cmd", g.slot, "abort")}
	r.Subscribe = append(r.Subscribe, g.n.Subject("dlq", "*"))
	g.follow(&r)
	return r
}

// operator sees what a viewer sees and gives orders. Flags belong to no service: it writes them where its scope names
// none.
func (g grants) operator() Role {
	r := g.role("operator", g.scope)
	r.Publish = []string{g.n.Subject("cmd", g.slot, "*")}
	if g.scope.Service == "" {
		r.Publish = append(r.Publish, g.flags(g.scope.Environment))
	}
	g.view(&r)
	return r
}

func (g grants) viewer() Role {
	r := g.role("viewer", g.scope)
	g.view(&r)
	return r
}

// view is status, history, events, flags and workers, and changes nothing.
func (g grants) view(r *Role) {
	journal, flags := g.n.Stream(JournalStream), g.bucket(FlagsBucket)
	r.Publish = append(r.Publish, g.n.Subject("ask", g.slot),
		"$JS.API.DIRECT.GET."+journal+"."+g.n.Subject("journal", "*", g.slot),
		"$JS.API.STREAM.INFO."+flags, "$JS.API.DIRECT.GET."+flags+"."+g.flags(g.scope.Environment))
	r.Subscribe = append(r.Subscribe, g.n.Subject("worker", "*"))
	filter := g.n.Subject("journal", "*", g.slot)
	if g.scope == (Scope{}) {
		filter = g.n.Subject("journal", ">")
	}
	g.read(r, journal, filter, journalReaders[:]...)
	g.read(r, g.n.Stream(SummaryStream), g.n.Subject("summary", g.slot, "*"))
	g.follow(r)
}

// deployer reads requests and acknowledges them.
func (g grants) deployer() Role {
	r := g.role("deployer", g.scope)
	r.Publish = []string{g.n.Subject("ack", g.slot)}
	r.Subscribe = append(r.Subscribe, g.n.Subject("event", g.slot, ">"), g.n.Subject("rollback", g.slot))
	g.follow(&r)
	return r
}

// application reads the flags of its environment.
func (g grants) application() Role {
	r := g.role("application", Scope{Environment: g.scope.Environment})
	g.watch(&r, g.flags(g.scope.Environment))
	return r
}

// follow is Events.Follow of a slot.
func (g grants) follow(r *Role) {
	durables := make([]string, len(notifiers))
	for i, name := range notifiers {
		durables[i] = tellPrefix + name
	}
	g.read(r, g.n.Stream(EventsStream), g.n.Subject("event", g.slot, ">"), durables...)
}

// read is reading a stream through consumers of one's own. Their names are random, so the durable ones are denied one
// by one: who may pull from them takes what others wait for. Several filters would be in a request's body, where no
// permission sees them: only requests with one, in the subject, are allowed.
func (g grants) read(r *Role, stream, filter string, durables ...string) {
	r.Publish = append(r.Publish, "$JS.API.STREAM.INFO."+stream, "$JS.API.CONSUMER.CREATE."+stream+".*."+filter)
	for _, verb := range []string{"INFO", "DELETE", "MSG.NEXT"} {
		r.Publish = append(r.Publish, "$JS.API.CONSUMER."+verb+"."+stream+".*")
	}
	for _, d := range durables {
		r.Deny = append(r.Deny, "$JS.API.CONSUMER.*."+stream+"."+d, "$JS.API.CONSUMER.*."+stream+"."+d+".>", "$JS.API.CONSUMER.MSG.NEXT."+stream+"."+d)
	}
}

// watch is following flags.
func (g grants) watch(r *Role, filter string) {
	stream := g.bucket(FlagsBucket)
	r.Publish = append(r.Publish, "$JS.API.STREAM.INFO."+stream, "$JS.API.CONSUMER.CREATE."+stream+".*."+filter,
		"$JS.API.CONSUMER.DELETE."+stream+".*", "$JS.FC."+stream+".>")
}

// flags are the subjects of an environment's flags.
func (g grants) flags(environment string) string {
	return "$KV." + g.n.Bucket(FlagsBucket) + "." + strings.Join(append(nonEmpty(environment), ">"), ".")
}

// bucket is the stream behind a bucket.
func (g grants) bucket(name string) string { return "KV_" + g.n.Bucket(name) }

func orAny(name, all string) string {
	if name == "" {
		return all
	}
	return name
}

func nonEmpty(names ...string) []string {
	var out []string
	for _, name := range names {
		if name != "" {
			out = append(out, name)
		}
	}
	return out
}
