package main

// Where a file can be changed, and how: the operators. A mutant is a replacement
// of some bytes of the source, so that what is compiled is what is shown. main.go
// asks for the mutants of each file, schema.go compiles them.

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
)

// A mutant is one small change of one file.
type mutant struct {
	ID     int           `json:"id"`
	File   string        `json:"file"`
	Line   int           `json:"line"`
	Func   string        `json:"func"`   // "name" or "Type.name"; "-" outside of functions
	Before string        `json:"before"` // the line, as it is
	After  string        `json:"after"`  // the line, as it becomes
	Result result        `json:"result"`
	By     string        `json:"by,omitempty"`     // the test that killed it
	Reason string        `json:"reason,omitempty"` // why it survives, from survivors.txt
	decl   *ast.FuncDecl // nil outside of functions
	value  ast.Expr      // of the variable of the package that it is in, or nil
	edit   edit
}

// key names the mutant in survivors.txt: by what it changes, not by where that is.
func (m *mutant) key() string {
	return m.File + " " + m.Func + ": " + m.Before + " => " + m.After
}

// An edit replaces the bytes from start to end by text.
type edit struct {
	start, end int
	text       string
}

// A source is a parsed file.
type source struct {
	name string // within its package
	text string
	fset *token.FileSet
	file *ast.File
}

func parse(name, text string) (*source, error) {
	s := &source{name: name, text: text, fset: token.NewFileSet()}
	var err error
	s.file, err = parser.ParseFile(s.fset, name, text, parser.SkipObjectResolution)
	return s, err
}

func (s *source) at(p token.Pos) int { return s.fset.Position(p).Offset }

func (s *source) textOf(n ast.Node) string { return s.text[s.at(n.Pos()):s.at(n.End())] }

// successors maps each constant of a group to the one after it, and the last to
// the first: what a slip of the pen takes for another.
func successors(sources []*source) map[string]string {
	next := map[string]string{}
	for _, s := range sources {
		for _, d := range s.file.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.CONST {
				continue
			}
			var names []string
			for _, spec := range g.Specs {
				for _, name := range spec.(*ast.ValueSpec).Names {
					names = append(names, name.Name)
				}
			}
			for i, name := range names {
				if len(names) > 1 {
					next[name] = names[(i+1)%len(names)]
				}
			}
		}
	}
	return next
}

// A finder collects the mutants of a source.
type finder struct {
	*source
	next  map[string]string
	fn    string
	decl  *ast.FuncDecl
	value ast.Expr
	skip  map[ast.Node]bool // nodes that stand for nothing that could be wrong
	seen  map[string]int
	found []*mutant
}

// find returns all mutants of s. next is what successors returned.
func find(s *source, next map[string]string) []*mutant {
	f := &finder{source: s, next: next, skip: map[ast.Node]bool{}, seen: map[string]int{}}
	for _, d := range s.file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Body != nil {
				f.fn, f.decl = nameOf(d), d
				f.returnEarly(d)
				ast.Inspect(d.Body, f.visit)
			}
		case *ast.GenDecl:
			f.declaration(d)
		}
	}
	return f.found
}

// declaration looks at constants and variables outside of functions.
func (f *finder) declaration(d *ast.GenDecl) {
	f.fn, f.decl = "-", nil
	for _, spec := range d.Specs {
		v, ok := spec.(*ast.ValueSpec)
		if ok && d.Tok == token.VAR && len(v.Names) == 1 && len(v.Values) == 1 {
			f.value = v.Values[0]
		}
		if ok {
			ast.Inspect(v, f.visit)
		}
		f.value = nil
	}
}

func nameOf(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return d.Name.Name
	}
	t := d.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	return t.(*ast.Ident).Name + "." + d.Name.Name
}

// add records that the bytes from p to q may become text.
func (f *finder) add(p, q token.Pos, text string) {
	e := edit{f.at(p), f.at(q), text}
	from := strings.LastIndexByte(f.text[:e.start], '\n') + 1
	to := len(f.text)
	if i := strings.IndexByte(f.text[e.end:], '\n'); i >= 0 {
		to = e.end + i
	}
	m := &mutant{
		File: f.name, Line: f.fset.Position(p).Line, Func: f.fn, decl: f.decl, value: f.value, edit: e,
		Before: oneLine(f.text[from:to]),
		After:  oneLine(f.text[from:e.start] + text + f.text[e.end:to]),
	}
	if f.seen[m.key()]++; f.seen[m.key()] > 1 {
		m.After += " #" + strconv.Itoa(f.seen[m.key()])
	}
	f.found = append(f.found, m)
}

// oneLine is s without what is at its edges and much of a comment.
func oneLine(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		line, _, _ = strings.Cut(line, " // ")
		lines[i] = strings.Join(strings.Fields(line), " ")
	}
	s = strings.Trim(strings.Join(lines, "; "), "; ")
	if s == "" {
		return "(nothing)"
	}
	return s
}

// returnEarly makes d return zero values and do nothing.
func (f *finder) returnEarly(d *ast.FuncDecl) {
	var zeros []string
	if d.Type.Results != nil {
		for _, field := range d.Type.Results.List {
			for range max(1, len(field.Names)) {
				zeros = append(zeros, "*new("+f.textOf(field.Type)+")")
			}
		}
	}
	f.add(d.Body.Lbrace+1, d.Body.Lbrace+1, " return "+strings.Join(zeros, ", ")+";")
}

// visit applies to n the operators that it is subject to.
func (f *finder) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.ArrayType:
		return f.decl != nil // the length of a table outside is held by its elements
	case *ast.SelectorExpr:
		f.skip[n.Sel] = true
	case *ast.KeyValueExpr:
		f.skip[n.Key] = true
	case *ast.ValueSpec:
		for _, name := range n.Names {
			f.skip[name] = true
		}
	case *ast.BinaryExpr:
		for _, op := range otherOps[n.Op] {
			f.add(n.OpPos, n.OpPos+token.Pos(len(n.Op.String())), op)
		}
	case *ast.UnaryExpr:
		if n.Op == token.NOT || n.Op == token.SUB {
			f.add(n.OpPos, n.X.Pos(), "")
		}
	case *ast.BasicLit:
		f.literal(n)
	case *ast.Ident:
		f.ident(n)
	case ast.Stmt:
		f.statement(n)
	}
	return true
}

// otherOps: the border of a comparison, its opposite, and the operator that it is
// most easily taken for.
var otherOps = map[token.Token][]string{
	token.LSS: {"<=", ">="}, token.LEQ: {"<", ">"}, token.GTR: {">=", "<="}, token.GEQ: {">", "<"},
	token.EQL: {"!="}, token.NEQ: {"=="},
	token.LAND: {"||"}, token.LOR: {"&&"},
	token.ADD: {"-"}, token.SUB: {"+"}, token.MUL: {"/"}, token.QUO: {"*"}, token.REM: {"*"},
	token.AND: {"|"}, token.OR: {"&"}, token.XOR: {"|"}, token.AND_NOT: {"&"},
	token.SHL: {">>"}, token.SHR: {"<<"},
	token.ADD_ASSIGN: {"-="}, token.SUB_ASSIGN: {"+="}, token.MUL_ASSIGN: {"/="}, token.QUO_ASSIGN: {"*="},
	token.AND_ASSIGN: {"|="}, token.OR_ASSIGN: {"&="}, token.XOR_ASSIGN: {"|="},
	token.SHL_ASSIGN: {">>="}, token.SHR_ASSIGN: {"<<="},
}

// literal moves a number or a character by one.
func (f *finder) literal(n *ast.BasicLit) {
	if n.Kind != token.INT && n.Kind != token.CHAR {
		return
	}
	f.add(n.Pos(), n.End(), "("+n.Value+"+1)")
	if n.Value != "0" {
		f.add(n.Pos(), n.End(), "("+n.Value+"-1)")
	}
}

var otherIdents = map[string]string{"true": "false", "false": "true", "min": "max", "max": "min"}

func (f *finder) ident(n *ast.Ident) {
	if f.skip[n] {
		return
	}
	for _, other := range []string{otherIdents[n.Name], f.next[n.Name]} {
		if other != "" {
			f.add(n.Pos(), n.End(), other)
		}
	}
}
