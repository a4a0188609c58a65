package jetstream

import (
	"fmt"
	"strings"
)

// ServerConfig is the roles as users of a nats-server.conf. Passwords come from the environment of the server, which
// does not start while one is missing.
func ServerConfig(roles []Role) string {
	var b strings.Builder
	b.WriteString("# Users of an account with JetStream. `serin setup` runs as a user without permissions of its own, once.\n")
	b.WriteString("authorization {\n  users: [\n")
	for _, r := range roles {
		fmt.Fprintf(&b, "    {\n      user: %q\n      password: $%s # inbox prefix: %s\n      permissions: {\n", r.User, password(r.User), r.Inbox)
		fmt.Fprintf(&b, "        publish: {\n%s%s        }\n", subjects("allow", r.Publish), subjects("deny", r.Deny))
		fmt.Fprintf(&b, "        subscribe: {\n%s        }\n      }\n    }\n", subjects("allow", r.Subscribe))
	}
	b.WriteString("  ]\n}\n")
	return b.String()
}

func subjects(kind string, list []string) string {
	if len(list) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "          %s: [\n", kind)
	for _, s := range list {
		fmt.Fprintf(&b, "            %q\n", s)
	}
	b.WriteString("          ]\n")
	return b.String()
}

// password is the variable with a user's password: ci-production has SERIN_CI_PRODUCTION.
func password(user string) string {
	return "SERIN_" + strings.ToUpper(strings.ReplaceAll(user, "-", "_"))
}
