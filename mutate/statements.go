package main

// The operators for statements: conditions that are the other way round or never
// hold, and steps that are left out. sites.go calls them.

import (
	"go/ast"
	"go/token"
)

func (f *finder) statement(n ast.Stmt) {
	switch n := n.(type) {
	case *ast.IfStmt:
		f.condition(n.Cond)
	case *ast.ForStmt:
		if n.Cond != nil {
			f.condition(n.Cond)
		}
		f.skip[n.Post] = true
	case *ast.RangeStmt:
		f.add(n.Body.Lbrace+1, n.Body.Lbrace+1, " break;")
	case *ast.SwitchStmt:
		f.cases(n)
	case *ast.IncDecStmt:
		other := "--"
		if n.Tok == token.DEC {
			other = "++"
		}
		f.add(n.TokPos, n.End(), other)
		f.remove(n)
	case *ast.ExprStmt, *ast.DeferStmt, *ast.GoStmt, *ast.SendStmt, *ast.BranchStmt:
		f.remove(n)
	case *ast.ReturnStmt:
		if len(n.Results) == 0 {
			f.remove(n)
		}
	case *ast.AssignStmt:
		f.assignment(n)
	}
}

// remove leaves n out. A loop without its step would only run for ever.
func (f *finder) remove(n ast.Stmt) {
	if !f.skip[n] {
		f.add(n.Pos(), n.End(), "")
	}
}

// condition makes cond never hold, and hold when it should not unless an operator
// in it sees to that.
func (f *finder) condition(cond ast.Expr) {
	f.add(cond.Pos(), cond.End(), "false && ("+f.textOf(cond)+")")
	switch c := cond.(type) {
	case *ast.BinaryExpr:
		if c.Op != token.LAND && c.Op != token.LOR {
			return // a comparison: otherOps has its opposite
		}
	case *ast.UnaryExpr:
		return // visit drops the negation
	}
	f.add(cond.Pos(), cond.End(), "!("+f.textOf(cond)+")")
}

// cases leaves cases out, or turns the conditions of a switch without a tag.
func (f *finder) cases(n *ast.SwitchStmt) {
	for _, stmt := range n.Body.List {
		clause := stmt.(*ast.CaseClause)
		for _, e := range clause.List {
			if n.Tag == nil {
				f.condition(e)
			}
		}
		if n.Tag != nil {
			f.add(clause.Pos(), clause.End(), "")
		}
	}
}

// assignment changes the operator, or drops one of the values.
func (f *finder) assignment(n *ast.AssignStmt) {
	for _, op := range otherOps[n.Tok] {
		f.add(n.TokPos, n.TokPos+token.Pos(len(n.Tok.String())), op)
	}
	switch {
	case n.Tok == token.DEFINE, f.skip[n]:
	case n.Tok != token.ASSIGN:
		f.add(n.Pos(), n.Rhs[0].Pos(), "_ = ")
	case len(n.Lhs) == 1 && f.textOf(n.Rhs[0]) == "nil":
		f.remove(n)
	default:
		for _, left := range n.Lhs {
			if f.textOf(left) != "_" {
				f.add(left.Pos(), left.End(), "_")
			}
		}
	}
}
