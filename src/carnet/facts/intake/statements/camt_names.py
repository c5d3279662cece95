"""The elements that camt.053 and camt.054 have where amounts are told, in versions 02 and 08.

A message with another name in these places is not one of them: a misspelt element would otherwise
be passed over.

Source: the schemas camt.053.001.02, camt.053.001.08 and camt.054.001.08.
"""

from typing import Final

OF_REPORT: Final = frozenset(
    (
        "Id",
        "StmtPgntn",
        "NtfctnPgntn",
        "ElctrncSeqNb",
        "RptgSeq",
        "LglSeqNb",
        "CreDtTm",
        "FrToDt",
        "CpyDplctInd",
        "RptgSrc",
        "Acct",
        "RltdAcct",
        "Intrst",
        "Bal",
        "TxsSummry",
        "Ntry",
        "AddtlStmtInf",
        "AddtlNtfctnInf",
    )
)
"""The elements of a statement and of a notification."""

OF_ENTRY: Final = frozenset(
    (
        "NtryRef",
        "Amt",
        "CdtDbtInd",
        "RvslInd",
        "Sts",
        "BookgDt",
        "ValDt",
        "AcctSvcrRef",
        "Avlbty",
        "BkTxCd",
        "ComssnWvrInd",
        "AddtlInfInd",
        "AmtDtls",
        "Chrgs",
        "TechInptChanl",
        "Intrst",
        "CardTx",
        "NtryDtls",
        "AddtlNtryInf",
    )
)
"""The elements of an entry."""

OF_TRANSACTION: Final = frozenset(
    (
        "Refs",
        "Amt",
        "CdtDbtInd",
        "AmtDtls",
        "Avlbty",
        "BkTxCd",
        "Chrgs",
        "Intrst",
        "RltdPties",
        "RltdAgts",
        "LclInstrm",
        "Purp",
        "RltdRmtInf",
        "RmtInf",
        "RltdDts",
        "RltdPric",
        "RltdQties",
        "FinInstrmId",
        "Tax",
        "RtrInf",
        "CorpActn",
        "SfkpgAcct",
        "CshDpst",
        "CardTx",
        "AddtlTxInf",
        "SplmtryData",
    )
)
"""The elements of the details of a transaction."""
