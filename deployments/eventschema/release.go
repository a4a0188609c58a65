package eventschema

// notAllowed are the fields that weaken or redirect: a release that has one is refused.
var notAllowed = []string{"start_step", "policy", "flag", "stable_version", "vars"}

// harmless is a text without control characters and characters that turn the direction of writing.
const harmless = "^[^\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]*$"

// Release is the JSON Schema of a release event's data, which may stand by itself. Lengths are in characters; what is
// accepted is bounded in bytes, which differs where a text is not ASCII.
func Release() []byte {
	optional := func(description string, limit int, pattern string) *node {
		return &node{Description: description, Type: []string{"string", "null"}, MaxLength: limit, Pattern: pattern}
	}
	const link = "^($|[hH][tT][tT][pP][sS]?://[^/?#])"
	n := &node{Schema: draft, ID: base + "release.schema.json", Title: "A release of Serin",
		Description: "The body of a message on serin.release.<environment>.<service>, or the data of a CloudEvent there: the version runs beside stable, and has no traffic yet. Other properties are kept.",
		Type:        "object", Required: []string{"version"},
		Properties: map[string]*node{
			"version":     {Description: "What the {{version}} of rules stands for.", Type: "string", MinLength: 1, MaxLength: 128, Pattern: harmless},
			"service":     optional("As on the subject.", 63, "^[A-Za-z0-9_-]*$"),
			"environment": optional("As on the subject.", 63, "^[A-Za-z0-9_-]*$"),
			"id":          optional("The same id twice is the same release. A CloudEvent's id goes before it.", 256, harmless),
			"artifact":    optional("A package URL.", 512, harmless),
			"commit":      optional("", 128, harmless),
			"ref":         optional("A branch or a tag.", 256, harmless),
			"author":      optional("", 128, harmless),
			"run_url":     optional("The pipeline's run.", 1024, link),
			"change_url":  optional("The change.", 1024, link),
		}}
	n.Not = &node{}
	for _, name := range notAllowed {
		n.Not.AnyOf = append(n.Not.AnyOf, &node{Required: []string{name}})
	}
	return text(n)
}
