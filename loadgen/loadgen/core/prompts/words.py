"""Short, common English words that most tokenizers know as one token each; 256, so that a byte picks one."""

_TEXT = """
able about above across act add after again age ago air all also always and animal answer any appear area
arm art ask away baby back bad ball bank base bear beat bed before begin best better big bird black blood blue
boat body bone book both bottom box boy bread bring brother brown build burn busy buy call camp car card care
carry case catch cause cell center chance change check chief child church circle city class clean clear climb
clock close cloth cloud coast coat cold color come common cook cool copy corn corner cost count country course
cover create cross crowd cry cup current cut dance dark daughter day dead deal dear death deep desert desk
develop die dinner direct doctor dog dollar done door double down draw dream dress drink drive drop dry early
earth east easy eat edge effect egg eight either electric else end enemy engine enough enter equal even evening
event ever every example expect eye face fact fair fall family famous far farm fast father fear feel feet few
field fight figure fill film final find fine finger finish fire first fish fit five flat floor flow flower fly
follow food foot force forest form forward four free fresh friend front fruit full fun game garden gas gather
gave general gentle get girl give glass gold gone good government grand grass great green ground group grow
guess gun hair half hand happy hard hat head hear heart heat heavy help here high hill hold home hope horse hot
"""
WORDS = tuple(_TEXT.split())
